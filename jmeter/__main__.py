"""Runs a plan, makes its report and says whether it passed: python -m jmeter PLAN [options] (make load PLAN=...).

Exit status: 0 passed, 1 failed, 2 no verdict (wrong option, no JMeter, no Java), 130 interrupted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from jmeter import program, recordings, report, verdict
from jmeter.properties import PLANS, of

HERE = Path(__file__).resolve().parent
RUNS = HERE.parent / ".run" / "jmeter" / "runs"


def parser() -> argparse.ArgumentParser:
    """A command for each plan, an option for each of its properties."""
    made = argparse.ArgumentParser(
        prog="python -m jmeter",
        description="Runs a load test and says whether it passed.",
        epilog="`python -m jmeter PLAN --help` lists the options of a plan. Exit: 0 passed, 1 failed, 2 no verdict.",
    )
    commands = made.add_subparsers(dest="plan", required=True, metavar="PLAN")
    for name, plan in PLANS.items():
        command = commands.add_parser(name, help=plan.says, description=plan.says)
        for item in of(name):
            default = "from the environment (KEY)" if item.name == "key" else item.default or "empty"
            command.add_argument(
                "--" + item.name.replace("_", "-"), metavar="VALUE", help=f"{item.says} Default: {default}."
            )
        command.add_argument("--output", type=Path, metavar="FOLDER", help="Made; default: one in .run/jmeter/runs.")
        command.add_argument(
            "--thresholds", type=Path, default=verdict.THRESHOLDS, metavar="FILE", help="What must be reached."
        )
        command.add_argument("--no-report", action="store_true", help="Leave the dashboard out.")
    return made


def properties(chosen: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, str]:
    """Those that differ from the plan's own defaults; files are meant as seen from here, not from the plan."""
    given = {item.name: getattr(chosen, item.name) for item in of(chosen.plan)}
    given["key"] = given["key"] or environment.get("KEY")
    made = {name: value for name, value in given.items() if value is not None}
    if "rows" in made:
        made["rows"] = str(Path(made["rows"]).resolve())
    made["recordings"] = str(Path(made.get("recordings", recordings.FOLDER)).resolve())
    return made


def run(plan: str, folder: Path, chosen: Mapping[str, str], command: list[str]) -> None:
    """JMeter without a window; `folder` gets samples.csv and jmeter.log. Raises Unavailable when it fails."""
    with tempfile.NamedTemporaryFile("w", prefix="hush-", suffix=".properties", encoding="utf-8") as secret:
        secret.write(f"key={chosen.get('key', '')}\n")  # a command line could be read by every user of the machine
        secret.flush()
        asked = ["-n", "-t", str(HERE / f"{plan}.jmx"), "-q", str(report.SETTINGS), "-q", secret.name]
        asked += ["-l", str(folder / "samples.csv"), "-j", str(folder / "jmeter.log")]
        asked += [f"-J{name}={value}" for name, value in chosen.items() if name != "key"]
        done = subprocess.run([*command, *asked], cwd=folder, check=False)
    if done.returncode != 0 or not (folder / "samples.csv").exists():
        raise program.Unavailable(f"JMeter ended with status {done.returncode}; see {folder / 'jmeter.log'}")


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Recordings, JMeter, report, verdict."""
    chosen = parser().parse_args(arguments)
    folder = (chosen.output or RUNS / f"{chosen.plan}-{time.strftime('%Y%m%d-%H%M%S')}").resolve()
    try:
        command = program.command(environment)
        given = properties(chosen, environment)
        recordings.make(Path(given["recordings"]))
        folder.mkdir(parents=True)
        run(chosen.plan, folder, given, command)
        if not chosen.no_report:
            report.draw(folder, command)
            print(f"\nReport: {folder / 'report' / 'index.html'}")
        print(f"Samples: {folder / 'samples.csv'}\n")
        return report.conclude(chosen.plan, folder, chosen.thresholds)
    except (OSError, program.Unavailable, verdict.ThresholdError) as error:
        print(f"jmeter: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nInterrupted. What there is lies in {folder}; python -m jmeter.report judges it.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
