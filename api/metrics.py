"""Every metric of the service: one table, and what counts for it in all processes.

The table is what docs/operations.md shows (`python -m api.metrics` prints it) and what a new metric is added to.
`Metrics` makes counters and histograms of it, `api/gauges.py` what is looked up at the moment of the scrape.

Under gunicorn each worker writes its numbers into files of its own, in a folder in shared memory (prometheus-client's
multiprocess mode), and whichever worker is asked adds them up. The files are named after the worker's seat, not its
process id: a worker that is replaced leaves its seat, with the numbers in it, to a successor. So nothing that was
counted is lost, no counter ever falls, and there are never more files than workers that lived at the same time.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
FACTORS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0)
JOB_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
MASTER = "master"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric: `kind` is "counter", "histogram" (with the ends of its `buckets`) or "gauge".

    What is counted of jobs is kept with them, and not by the workers (`of_jobs`, api/jobs/tally.py).
    """

    name: str
    kind: str
    says: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    of_jobs: bool = False


TABLE: tuple[Row, ...] = (
    Row(
        name="hush_requests_total",
        kind="counter",
        says="Requests answered; `route` is empty where there is none, `model` where none was used.",
        labels=("route", "status", "model"),
    ),
    Row(
        name="hush_request_seconds",
        kind="histogram",
        says="From the request's headers to the answer's, or to the end of a streamed answer.",
        labels=("route",),
        buckets=SECONDS,
    ),
    Row(
        name="hush_stage_seconds",
        kind="histogram",
        says="Parts of the requests with audio: `parse` (receiving), `queue` (waiting), `decode`, `enhance`, `encode`.",
        labels=("stage",),
        buckets=SECONDS,
    ),
    Row(name="hush_audio_seconds_total", kind="counter", says="Audio that was worked on.", labels=("route", "model")),
    Row(
        name="hush_real_time_factor",
        kind="histogram",
        says="Time to decode, enhance and encode, for a second of audio of `/predict`.",
        labels=("model",),
        buckets=FACTORS,
    ),
    Row(
        name="hush_refusals_total",
        kind="counter",
        says="Requests not served: the kind of problem, for a busy service `queue-full`, `too-slow`, `timeout` or "
        "`long-work`, for a client that hung up `client-gone`, for a bug `internal`.",
        labels=("reason",),
    ),
    Row(
        name="hush_cache_total",
        kind="counter",
        says="Requests looked up in the cache of answers: `hit`, `miss` or `bypass`.",
        labels=("outcome",),
    ),
    Row(name="hush_streams_broken_total", kind="counter", says="Streamed answers that broke off."),
    Row(
        name="hush_quality_values_total",
        kind="counter",
        says="Recordings by what they are like: how many fell into each `bin` of each `feature` (Quality and drift).",
        labels=("model", "feature", "bin"),
    ),
    Row(name="hush_worker_starts_total", kind="counter", says="Workers forked."),
    Row(
        name="hush_worker_exits_total",
        kind="counter",
        says="Workers that ended: `orderly`, `hung` (ended by the master) or `died`.",
        labels=("how",),
    ),
    Row(name="hush_slots", kind="gauge", says="Slots there are."),
    Row(name="hush_slots_in_use", kind="gauge", says="Slots held now."),
    Row(name="hush_queue_places", kind="gauge", says="Places in the queue there are."),
    Row(name="hush_queue_length", kind="gauge", says="Requests that wait for a slot now."),
    Row(name="hush_model_info", kind="gauge", says="1 for each model loaded.", labels=("model", "version", "labels")),
    Row(name="hush_build_info", kind="gauge", says="1, for what runs.", labels=("version", "commit")),
    Row(
        name="hush_quality_reference_ratio",
        kind="gauge",
        says="Share of each bin in the reference of the model.",
        labels=("model", "feature", "bin"),
    ),
    Row(
        name="hush_quality_psi",
        kind="gauge",
        says="Population stability index of a feature against that reference, since the start; from 200 values on.",
        labels=("model", "feature"),
    ),
    Row(name="hush_jobs", kind="gauge", says="Jobs that are `queued` or `running` now.", labels=("state",)),
    Row(
        name="hush_jobs_oldest_waiting_seconds",
        kind="gauge",
        says="Age of the job that waits longest; 0 where none waits.",
    ),
    Row(name="hush_jobs_stored_bytes", kind="gauge", says="Recordings and results of all jobs."),
    Row(
        name="hush_jobs_store_up",
        kind="gauge",
        says="Whether the place of the jobs' states answers; without it the other metrics of jobs are missing.",
    ),
    Row(name="hush_jobs_taken_total", kind="counter", says="Jobs taken.", of_jobs=True),
    Row(
        name="hush_jobs_ended_total",
        kind="counter",
        says="Jobs that ended: `done`, `failed` (for what the recording is), `given-up` (the service failed three "
        "times), `cancelled`, or `expired` before anybody began.",
        labels=("outcome",),
        of_jobs=True,
    ),
    Row(
        name="hush_job_attempts_lost_total",
        kind="counter",
        says="Attempts at a job that ended without a sign: a consumer died, hung or failed.",
        of_jobs=True,
    ),
    Row(
        name="hush_job_seconds",
        kind="histogram",
        says="Of a job the `wait` until it was first begun, and the `work` of the attempt that got it done.",
        labels=("part",),
        buckets=JOB_SECONDS,
        of_jobs=True,
    ),
    Row(name="hush_webhook_tries_total", kind="counter", says="Tries to deliver a webhook.", of_jobs=True),
    Row(
        name="hush_webhooks_total",
        kind="counter",
        says="Webhooks that were `delivered`, `refused` (a private address) or `given-up` after six tries.",
        labels=("outcome",),
        of_jobs=True,
    ),
    Row(name="process_start_time_seconds", kind="gauge", says="When the service was started, in seconds since 1970."),
)
ROWS = {row.name: row for row in TABLE}
Labels = tuple[str, ...]


class Metrics:
    """Counters and histograms, written by any thread of any process; make it before the fork.

    `folder` holds the files of the processes; it is made anew. Without one the numbers are those of this process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._folder = folder
        self._seat = MASTER
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            values.ValueClass = values.MultiProcessValue(lambda: self._seat)  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._made = {row.name: self._make(row) for row in TABLE if row.kind != "gauge" and not row.of_jobs}
        self._children: dict[tuple[str, Labels], Any] = {}  # finding one through the client takes longer than counting

    def sit_down(self, seat: str) -> None:
        """From now on this process counts in the files of `seat`, which no other living process has."""
        self._seat = seat

    def count(self, name: str, labels: Labels = (), amount: float = 1.0) -> None:
        """Adds `amount` to a counter of the table; `labels` are the values, in the table's order."""
        self._child(name, labels).inc(amount)

    def observe(self, name: str, value: float, labels: Labels = ()) -> None:
        """Adds a value to a histogram of the table."""
        self._child(name, labels).observe(value)

    def collect(self) -> Iterable[Metric]:
        """What all processes have counted so far."""
        if self._folder is None:
            return list(self._registry.collect())
        # A file that is just being made is empty for a moment.
        files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged

    def _make(self, row: Row) -> Counter | Histogram:
        if row.kind == "counter":
            return Counter(row.name, row.says, row.labels, registry=self._registry)
        return Histogram(row.name, row.says, row.labels, registry=self._registry, buckets=row.buckets)

    def _child(self, name: str, labels: Labels) -> Any:
        child = self._children.get((name, labels))
        if child is None:
            made = self._made[name]
            child = self._children[name, labels] = made.labels(*labels) if labels else made
        return child


def table(rows: Sequence[Row] = TABLE) -> str:
    """All metrics as the Markdown table of docs/operations.md."""
    lines = ["| metric | kind | labels | what it is |", "| --- | --- | --- | --- |"]
    for row in rows:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `{row.name}` | {row.kind} | {labels} | {row.says} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
