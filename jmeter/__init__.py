"""Load tests with Apache JMeter: the plans, the recordings they send, and the verdict on a run.

properties -> plans -> smoke.jmx load.jmx stress.jmx spike.jmx soak.jmx
recordings -> the files that smoke.csv and load.csv name
program    -> where JMeter is; it is fetched where there is none
__main__   -> runs a plan (make load);  report -> dashboard and verdict, also of several machines
"""
