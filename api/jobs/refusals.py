"""Why a client does not get what it asked of a job; api/errors.py gives each a status.

JobRefusal
├── JobsDisabled            this service takes no jobs
├── UnknownJob              no job has this id, or none any more
├── JobExpired              the job and its recordings are gone
├── JobNotReady             the result is not there yet; how far it is
├── JobWithoutResult        the job failed or was cancelled
├── JobCancelled            it was cancelled before
├── BadIdempotencyKey       the header cannot be read
├── IdempotencyKeyReused    the key came with another request before
├── WebhookRefused          the address is none that this service calls
├── JobsFull                too many wait, or too much is stored
└── JobsUnavailable         the place where jobs are kept does not answer
"""


class JobRefusal(Exception):
    """Root of the tree; the text is meant for the client."""


class JobsDisabled(JobRefusal):
    """Nothing is set that jobs could be kept in."""

    def __init__(self) -> None:
        super().__init__("This service takes no jobs. Recordings that are short enough can go to /predict.")


class UnknownJob(JobRefusal):
    """There is no such job."""

    def __init__(self, job: str) -> None:
        super().__init__(f"There is no job {job!r}.")


class JobExpired(JobRefusal):
    """It was there; `expired` is when it went (seconds since 1970)."""

    def __init__(self, expired: str) -> None:
        self.expired = expired
        super().__init__(f"The job and its recordings were removed at {expired}.")


class JobNotReady(JobRefusal):
    """`state` is queued or running, `position` in the queue counts from 1, `progress` is the share done."""

    def __init__(self, state: str, position: int | None, progress: float) -> None:
        self.state = state
        self.position = position
        self.progress = progress
        where = f"at position {position} of the queue" if position else f"{100 * progress:.0f} % done"
        super().__init__(f"The result is not ready: the job is {state}, {where}.")


class JobWithoutResult(JobRefusal):
    """`state` is failed or cancelled; `problem` is why it failed."""

    def __init__(self, state: str, problem: dict[str, object] | None) -> None:
        self.state = state
        self.problem = problem
        why = "" if problem is None else f": {problem['detail']}"
        super().__init__(f"There is no result, the job has {state}{why}" if why else f"The job was {state}.")


class JobCancelled(JobRefusal):
    """It was cancelled before."""

    def __init__(self) -> None:
        super().__init__("The job was cancelled already.")


class BadIdempotencyKey(JobRefusal):
    """The header is not what it should be."""

    def __init__(self) -> None:
        super().__init__('Idempotency-Key is a string of 1 to 255 visible ASCII characters, such as "8e03978e-40d5".')


class IdempotencyKeyReused(JobRefusal):
    """The same key, another recording or other options."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came with another recording or other options before; use a new one.")


class WebhookRefused(JobRefusal):
    """The webhook cannot be called, for the `reason` given."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The webhook is refused: {reason}.")


class JobsFull(JobRefusal):
    """No more jobs are taken now; `retry_after` is in seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"No more jobs are taken at the moment: {reason}. Try again in {retry_after} s.")


class JobsUnavailable(JobRefusal):
    """Redis, the bucket or the folder does not answer."""

    def __init__(self) -> None:
        self.retry_after = 5
        super().__init__("The place where jobs are kept does not answer. Try again in 5 s.")
