"""Writes the plans beside this file: python -m jmeter.plans (a test compares them with what is committed).

They are written, not drawn in JMeter's window, because the five share nearly everything.
"""

import re
from pathlib import Path

from jmeter import elements
from jmeter.elements import Branch
from jmeter.properties import PLANS, of

HERE = Path(__file__).resolve().parent
COLUMNS = "label,method,call,file,field,type,headers,status,content,seconds,within_ms,contains,keep,wait_s"
PATH = "${path}${__evalVar(call)}"

# Schedules count from the start of the test, so the warm-up has to be part of them.
PAUSE = "rate(0/sec) pause(${warm_up} sec)"


def defined(plan: str, **more: str) -> dict[str, str]:
    """The variables of a plan: its properties under their names, and `more`."""
    return {item.name: f"${{__P({item.name},{item.default})}}" for item in of(plan)} | more


def filled(plan: str, text: str) -> str:
    """`text` with each ${NAME} of a property as JMeter reads it where variables are not there yet."""
    values = defined(plan)
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found.group(1)], text)


def asked() -> Branch:
    """The request of a row, and the judgement of its answer."""
    before = elements.script("JSR223PreProcessor", "request", "request.groovy")
    after = elements.script("JSR223Assertion", "check", "duration.groovy", "check.groovy")
    # Rows are repeated by `wait_s` and by the rate limit; a label is the name of its row.
    return elements.loop_while(
        '${__groovy(vars.get("done") != vars.get("label"))}', [elements.request("${label}", PATH, [before, after])]
    )


def warm_up() -> Branch:
    """One request before anything is judged: scripts are compiled, classes loaded, and the server is there or not."""
    row = elements.csv_rows("warm_up.csv", COLUMNS, repeat=True)
    return elements.threads("warm-up", "1", 1, [row, asked()], kind="SetupThreadGroup")


def smoke() -> Branch:
    """Row by row by one user, then the burst, then what the burst must have met."""
    rows = elements.threads("rows", "1", -1, [elements.csv_rows("${rows}", COLUMNS, repeat=False), asked()])
    burst = elements.threads("burst", "${burst}", 1, [elements.csv_rows("burst.csv", COLUMNS, repeat=True), asked()])
    limits = elements.script("JSR223Sampler", "burst met its limits", "limits.groovy")
    after = elements.threads("after the burst", "1", 1, [limits], kind="PostThreadGroup")
    variables = defined("smoke", stages="smoke 1", patient="true")
    return elements.test_plan("smoke", PLANS["smoke"].says, variables, [warm_up(), rows, burst, after])


def arriving(name: str) -> Branch:
    """Users by a schedule, each with the next row of the CSV file."""
    schedule, stages = stress_schedule() if name == "stress" else schedule_of(name)
    below = [elements.csv_rows("${rows}", COLUMNS, repeat=True), asked()]
    group = elements.arrivals("arrivals", f"{PAUSE} {schedule} pause(${{drain}} sec)", "${seed}", below)
    variables = defined(name, stages=f"warm-up {filled(name, '${warm_up}')} {stages}", patient="false")
    return elements.test_plan(name, PLANS[name].says, variables, [warm_up(), group])


def schedule_of(name: str) -> tuple[str, str]:
    """The schedule in the language of the Open Model Thread Group, and the list of stages that the scripts read."""
    stages = PLANS[name].stages
    steps = [f"rate({first}/sec) random_arrivals({seconds} sec) rate({last}/sec)" for _, seconds, first, last in stages]
    words = [f"{title} {seconds}" for title, seconds, _, _ in stages]
    return filled(name, " ".join(steps)), filled(name, " ".join(words))


def stress_schedule() -> tuple[str, str]:
    """As many steps as there shall be, counted by JMeter at the start; a stage is called after its rate."""
    rate = "(${arrivals} + it * ${increase})"
    step = f'"rate(" + {rate} + "/sec) random_arrivals(${{duration}} sec) rate(" + {rate} + "/sec)"'
    stage = f'{rate} + "/s ${{duration}}"'
    return each_step(step), each_step(stage)


def each_step(groovy: str) -> str:
    """JMeter's function that joins what `groovy` gives for each step, `it` being 0, 1, 2 ..."""
    expression = filled("stress", f"(0..<${{steps}}).collect {{ {groovy} }}.join(' ')")
    return f"${{__groovy({expression})}}"


def text(name: str) -> str:
    """The plan as a file."""
    return elements.document(smoke() if name == "smoke" else arriving(name))


if __name__ == "__main__":
    for plan in PLANS:
        (HERE / f"{plan}.jmx").write_text(text(plan), encoding="utf-8")
