"""Dashboard and verdict of samples that are there already, also of several machines together:

    python -m jmeter.report load --output FOLDER machine1/samples.csv machine2/samples.csv

FOLDER gets samples.csv (all of them), report/index.html and verdict.txt. Exit status: 0 passed, 1 failed, 2 no verdict.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from jmeter import program, samples, verdict
from jmeter.properties import PLANS

SETTINGS = Path(__file__).resolve().parent / "run.properties"


def draw(folder: Path, command: list[str]) -> None:
    """Makes JMeter's dashboard of FOLDER/samples.csv. Raises Unavailable with its words when it cannot."""
    made = ["-g", str(folder / "samples.csv"), "-o", str(folder / "report"), "-j", str(folder / "report.log")]
    done = subprocess.run([*command, *made, "-q", str(SETTINGS)], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not (folder / "report" / "index.html").exists():
        raise program.Unavailable(f"JMeter could not make the report:\n{done.stdout}{done.stderr}")


def conclude(plan: str, folder: Path, thresholds: Path, machines: int = 1) -> int:
    """Prints the verdict on FOLDER/samples.csv and writes it beside them; 0 when it passed, else 1."""
    found = verdict.judge(plan, samples.read([folder / "samples.csv"]), verdict.thresholds(plan, thresholds), machines)
    (folder / "verdict.txt").write_text(found.text, encoding="utf-8")
    print(found.text, end="")
    return 0 if found.passed else 1


def main(arguments: list[str]) -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m jmeter.report", description=str(__doc__).partition(":")[0])
    parser.add_argument("plan", choices=list(PLANS), help="the plan that was run")
    parser.add_argument("files", nargs="+", type=Path, help="samples.csv of each machine")
    parser.add_argument("--output", type=Path, required=True, help="folder that is made")
    parser.add_argument("--thresholds", type=Path, default=verdict.THRESHOLDS, help="file of thresholds")
    chosen = parser.parse_args(arguments)
    try:
        chosen.output.mkdir(parents=True)
        samples.merge(chosen.files, chosen.output / "samples.csv")
        draw(chosen.output, program.command(os.environ))
        return conclude(chosen.plan, chosen.output, chosen.thresholds, len(chosen.files))
    except (OSError, ValueError, program.Unavailable, verdict.ThresholdError) as error:
        print(f"jmeter.report: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
