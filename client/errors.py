"""What can go wrong, as one tree.

ClientError
├── Refused        the service answered with an error that another try would not change
├── Unreachable    no whole answer, or none but "later", however often it was tried
├── JobLost        a job ended without a result: cancelled, expired, or forgotten
└── Stopped        the caller asked to stop
"""

from typing import Any


class ClientError(Exception):
    """Root of the tree; the text is meant for people."""


class Refused(ClientError):
    """`status`, and the members of the problem document (RFC 9457), if there was one."""

    def __init__(self, status: int, problem: dict[str, Any], text: str = "") -> None:
        self.status = status
        self.problem = problem
        detail = problem.get("detail") or text or "no reason was given"
        super().__init__(f"{status}: {detail}")


class Unreachable(ClientError):
    """`tries` were made; the text says what came of the last."""

    def __init__(self, tries: int, reason: str) -> None:
        self.tries = tries
        super().__init__(f"gave up after {tries} {'try' if tries == 1 else 'tries'}: {reason}")


class JobLost(ClientError):
    """`state` is what became of the job."""

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(f"the job is {state}, there is no result")


class Stopped(ClientError):
    """Nothing is wrong."""

    def __init__(self) -> None:
        super().__init__("stopped")
