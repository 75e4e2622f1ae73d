"""What a place that keeps the states of jobs can do. There are two: sqlite.py for one machine, redis.py for a fleet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from api.jobs.job import Job
from api.jobs.refusals import IdempotencyKeyReused, JobsFull
from api.jobs.tally import Figures

RETRY_AFTER = 60  # seconds; a job of an hour takes about as long


@dataclass(frozen=True)
class Room:
    """How much is taken: jobs that wait, and bytes of all recordings together."""

    most_waiting: int
    most_bytes: int

    def check(self, waiting: int, stored: int, more: int) -> None:
        """Raises `JobsFull` unless there is room for a job of `more` bytes."""
        if waiting >= self.most_waiting:
            raise JobsFull(f"{waiting} are waiting", RETRY_AFTER)
        if stored + more > self.most_bytes:
            raise JobsFull("the recordings of other jobs take all the room there is", RETRY_AFTER)


class Records(Protocol):
    """Each call is one transaction: several processes and machines may make them at the same time.

    What a change counts for (tally.py) is added in its transaction.
    """

    def add(self, job: Job, room: Room) -> Job:
        """Adds `job` and returns it; returns the job that came with the same Idempotency-Key before.

        Raises `JobsFull`, and `IdempotencyKeyReused` when the other request was a different one.
        """

    def get(self, name: str) -> Job | None:
        """The job, or None."""

    def change(self, name: str, step: Callable[[Job], Job]) -> Job:
        """Puts `step` of the job in its place and returns that; what `step` raises leaves the job as it was.

        Raises KeyError when there is none. `step` may be called again when somebody else was faster.
        """

    def remove(self, name: str) -> None:
        """Forgets the job and its Idempotency-Key."""

    def waiting(self) -> list[str]:
        """The ids of the queued jobs, the one that came first in front."""

    def all(self) -> list[Job]:
        """Every job."""

    def figures(self) -> Figures:
        """What the metrics say of all of them."""


def same_request(known: Job, job: Job) -> Job:
    """`known`, when `job` is the same request again; raises `IdempotencyKeyReused`."""
    if known.fingerprint != job.fingerprint:
        raise IdempotencyKeyReused
    return known
