"""The table of faults: tests add rows, `python -m tests.faults.report FILE` prints them as Markdown."""

import json
import os
import sys
from pathlib import Path

HEAD = (
    "| fault | requests | failures | worst wait, s | memory after, MiB | note |\n| --- | --- | --- | --- | --- | --- |"
)


def note(fault: str, requests: int, failures: int, worst: float, memory: float | None, says: str = "") -> None:
    """Adds a row to the file that HUSH_FAULTS_REPORT names (nothing without one) and prints it."""
    after = "" if memory is None else f"{memory:.0f}"
    row = f"| {fault} | {requests:,} | {failures} | {worst:.1f} | {after} | {says} |"
    print(row)
    if name := os.environ.get("HUSH_FAULTS_REPORT"):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def main(arguments: list[str]) -> int:
    """Prints the table of a report."""
    rows = [json.loads(line) for line in Path(arguments[0]).read_text(encoding="utf-8").splitlines()]
    print("\n".join([HEAD, *rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
