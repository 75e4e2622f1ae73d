"""What is counted of jobs: which change of a record counts for which metric of `api/metrics.py`.

The counts are kept beside the records and grow in the transaction that changes one. So they are right over consumers
that come, go and die, over restarts of the service, and are the same for every instance of a fleet.
"""

from bisect import bisect_left
from dataclasses import dataclass

from api.jobs.job import OPEN, Job, State
from api.metrics import JOB_SECONDS

OUTCOMES = ("done", "failed", "given-up", "cancelled", "expired")
DELIVERIES = ("delivered", "refused", "given-up")
PARTS = ("wait", "work")
SUM = "sum"
Counts = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a place for records knows of all its jobs: how many wait and run now, and what was counted so far."""

    waiting: int
    running: int
    oldest: float | None  # when the job that waits longest came, in seconds since 1970
    bytes: int
    counts: Counts


def counted(name: str, *labels: str) -> str:
    """Name of a count: a metric and the values of its labels; of a histogram also the end of a bucket, or `SUM`."""
    return ":".join((name, *labels))


def tally(before: Job | None, after: Job) -> Counts:
    """What has to be added when a job is taken, or becomes `after`."""
    if before is None:
        return {"hush_jobs_taken_total": 1}
    counts: Counts = {}
    if before.state is not after.state:
        counts |= _moved(before, after)
    if after.webhook_tries > before.webhook_tries:
        counts["hush_webhook_tries_total"] = 1
    delivery = after.webhook_state.replace(" ", "-")
    if after.webhook_state != before.webhook_state and delivery in DELIVERIES:
        counts[counted("hush_webhooks_total", delivery)] = 1
    return counts


def _moved(before: Job, after: Job) -> Counts:
    """Another state."""
    counts: Counts = {}
    if after.state is State.RUNNING and before.started is None and after.started is not None:
        counts |= _observed("wait", after.started - after.created)
    if after.state is State.DONE and after.started is not None and after.finished is not None:
        counts |= _observed("work", after.finished - after.started)
    outcome = _outcome(after)
    if before.state in OPEN and outcome:
        counts[counted("hush_jobs_ended_total", outcome)] = 1
    again = (before.state, after.state) == (State.RUNNING, State.QUEUED) and after.attempts == before.attempts
    if again or outcome == "given-up":
        counts["hush_job_attempts_lost_total"] = 1
    return counts


def _outcome(job: Job) -> str:
    """How a job ended: `failed` is the recording's fault, `given-up` that of the service."""
    if job.state in OPEN:
        return ""
    if job.state is State.FAILED and job.problem is not None and job.problem["status"] >= 500:
        return "given-up"
    return str(job.state)


def _observed(part: str, seconds: float) -> Counts:
    """A value in its bucket alone; who reads them adds them up."""
    ends = (*map(str, JOB_SECONDS), "+Inf")
    bucket = ends[bisect_left(JOB_SECONDS, seconds)]
    name = "hush_job_seconds"
    return {counted(name, part, bucket): 1, counted(name, part, SUM): max(seconds, 0.0)}
