"""What JMeter has left of a run: one sample a request, read from its CSV file."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

UNREADY = "wrong: JMeter was ready after"  # what the warm-up says of itself when it took too long
REPEATED = (" (limited)", " (not yet)")  # ends of labels of requests that were sent again, see scripts/check.groovy
KINDS = ("good", "refused", "late", "wrong")


@dataclass(frozen=True)
class Sample:
    """A judged request. `kind` is one of KINDS; a refusal is a 503 or 429 in proper form where none was expected."""

    start_ms: int
    elapsed_ms: int
    label: str
    kind: str
    message: str
    stage: str
    stage_seconds: float

    @property
    def end_ms(self) -> int:
        """When the last byte was there."""
        return self.start_ms + self.elapsed_ms


def read(files: Iterable[Path]) -> list[Sample]:
    """The samples of all files in the order of their beginnings, without repeated requests and a warm-up in time."""
    return sorted((sample for file in files for sample in _of_file(file)), key=lambda sample: sample.start_ms)


def _of_file(file: Path) -> Iterator[Sample]:
    with file.open(newline="", encoding="utf-8") as opened:
        for row in csv.DictReader(opened):
            judged = row["stage"] != "warm-up" or row["failureMessage"].startswith(UNREADY)
            if judged and not row["label"].endswith(REPEATED):
                yield _sample(row)


def _sample(row: dict[str, str]) -> Sample:
    message = row["failureMessage"] or f"{row['responseCode']} {row['responseMessage']}"
    word = message.partition(":")[0]
    # What no script has judged is wrong: connections refused, answers that never came.
    kind = "good" if row["success"] == "true" else word if word in KINDS else "wrong"
    return Sample(
        start_ms=int(row["timeStamp"]),
        elapsed_ms=int(row["elapsed"]),
        label=row["label"],
        kind=kind,
        message=message,
        stage=row["stage"],
        stage_seconds=float(row["stage_seconds"] or 0),
    )


def merge(files: Iterable[Path], merged: Path) -> None:
    """One file of several, for one report; their clocks are taken as they are. Raises ValueError for other columns."""
    names: list[str] = []
    rows: list[dict[str, str]] = []
    for file in files:
        with file.open(newline="", encoding="utf-8") as opened:
            reader = csv.DictReader(opened)
            if names and reader.fieldnames != names:
                raise ValueError(f"{file} has other columns than the files before it")
            names = list(reader.fieldnames or [])
            rows += reader
    with merged.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: int(row["timeStamp"])))
