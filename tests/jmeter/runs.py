"""`python -m jmeter` in a process of its own, as `make load` calls it."""

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ROOT

COLUMNS = (ROOT / "jmeter" / "smoke.csv").read_text().splitlines()[0].split(",")
SLOW = "20"  # a test machine has other things to do: latencies of the rows are not what is tested
SECONDS = 300  # a run of JMeter takes ten on a machine at rest, and a minute on a busy one
# Less compiling and fewer threads: a run is over before the best code would pay.
BRIEF = {"JVM_ARGS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


@dataclass(frozen=True)
class Target:
    """Where a plan is aimed at."""

    port: int


@dataclass(frozen=True)
class Run:
    """What a run has left."""

    status: int
    printed: str
    complaints: str
    folder: Path

    @property
    def samples(self) -> list[dict[str, str]]:
        """Lines of samples.csv, without the warm-up."""
        with (self.folder / "samples.csv").open(newline="") as file:
            return [row for row in csv.DictReader(file) if row["stage"] != "warm-up"]


def run(plan: str, target: Target, folder: Path, *options: str, report: bool = False) -> Run:
    """Runs a plan against `target`; its files go into the new folder `folder`."""
    chosen = ["--port", str(target.port), "--latency-factor", SLOW, "--output", str(folder), *options]
    command = [sys.executable, "-m", "jmeter", plan, *chosen, *([] if report else ["--no-report"])]
    env = {**os.environ, **BRIEF}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    return Run(done.returncode, done.stdout, done.stderr, folder)


def rows(file: Path, *given: dict[str, str]) -> Path:
    """A CSV file for a plan: each row a GET of /models that is right, but for what is given."""
    usual = {"method": "GET", "call": "/models", "status": "200", "content": "application/json"}
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**usual, **row} for row in given)
    return file
