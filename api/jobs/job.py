"""One job as data, and the steps of its life, each from one `Job` to the next.

    queued -> running -> done | failed
       \\________\\________-> cancelled;  every one of them, in the end -> expired

A consumer that works on a job holds it by `owner` until `lease_until`, which it moves on while it makes progress. When
it has died the lease runs out, and the job is queued again; the dead one, should it wake up, is no longer the owner.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

ATTEMPTS = 3  # a job that has ended its consumer so often is not tried again


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN = (State.QUEUED, State.RUNNING)


class NotYours(Exception):
    """The job is not this consumer's any more: cancelled, or given to another one."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Times are seconds since 1970; `bytes` is what is stored for the job now."""

    id: str
    state: State = State.QUEUED
    created: float
    expires: float
    key: str = ""  # the Idempotency-Key
    fingerprint: str = ""  # of the recording and the options that came with it
    model: str  # key of the model
    model_version: str
    format: str  # name of the answer's format
    sample_rate: str  # source or model
    attenuation_limit_db: float | None = None
    bytes: int = 0
    attempts: int = 0
    owner: str = ""
    lease_until: float = 0.0
    progress: float = 0.0  # share of the recording that is enhanced, 0 to 1
    started: float | None = None
    finished: float | None = None
    clipped_samples: int = 0
    problem: dict[str, Any] | None = None
    webhook: str = ""
    webhook_state: str = ""  # waiting, delivered, given up
    webhook_tries: int = 0
    webhook_at: float | None = None  # when the next try is due

    @property
    def upload(self) -> str:
        """Name of the stored recording."""
        return f"{self.id}.upload"

    @property
    def result(self) -> str:
        """Name of the stored result; every attempt has one of its own."""
        return f"{self.id}.result{self.attempts}"

    def is_gone(self, now: float) -> bool:
        """Whether its time is over; a job in work is finished first."""
        return self.state is State.EXPIRED or (self.expires <= now and self.state is not State.RUNNING)


def to_json(job: Job) -> str:
    """The job as text."""
    return json.dumps(asdict(job))


def from_json(text: str | bytes) -> Job:
    """The job of `to_json`."""
    values = json.loads(text)
    return Job(**{**values, "state": State(values["state"])})


def moment(seconds: float | None) -> str | None:
    """A time as RFC 3339 has it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


# ---- Steps -----------------------------------------------------------------------------------------------------------


def claimed(job: Job, owner: str, now: float, lease: float) -> Job:
    """A consumer takes the job; raises `NotYours` when it does not wait."""
    if job.state is not State.QUEUED or job.is_gone(now):
        raise NotYours
    return replace(
        job,
        state=State.RUNNING,
        owner=owner,
        attempts=job.attempts + 1,
        started=now,
        progress=0.0,
        lease_until=now + lease,
    )


def held(job: Job, owner: str) -> Job:
    """The job as it is; raises `NotYours` unless `owner` works on it."""
    if job.state is not State.RUNNING or job.owner != owner:
        raise NotYours
    return job


def advanced(job: Job, owner: str, progress: float, lease_until: float) -> Job:
    """The consumer is alive and has got so far; raises `NotYours`."""
    return replace(held(job, owner), progress=progress, lease_until=lease_until)


def requeued(job: Job, *, counted: bool) -> Job:
    """Back into the queue; an attempt that ended in order is not `counted`."""
    return replace(
        job, state=State.QUEUED, owner="", lease_until=0.0, progress=0.0, attempts=job.attempts - (not counted)
    )


def ended(job: Job, state: State, now: float, kept: float, **more: Any) -> Job:
    """Over: done, failed or cancelled. It is kept for `kept` seconds, and its webhook is due."""
    due: dict[str, Any] = {"webhook_state": "waiting", "webhook_at": now} if job.webhook else {}
    return replace(job, state=state, owner="", finished=now, expires=now + kept, **due, **more)


def expired(job: Job, now: float) -> Job:
    """A stone with the id on it: nothing of the client's is left."""
    return replace(job, state=State.EXPIRED, owner="", expires=now, bytes=0, webhook="", webhook_at=None, problem=None)
