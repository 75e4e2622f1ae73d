"""Why somebody does not get to compute."""


class Overloaded(Exception):
    """No slot could be had. `retry_after` is in whole seconds; the text is meant for the client.

    `cause` is the reason in a word: "queue-full", "too-slow" (the queue would be), "timeout" or "long-work".
    """

    def __init__(self, reason: str, retry_after: int, cause: str) -> None:
        self.retry_after = retry_after
        self.cause = cause
        super().__init__(f"The service is busy: {reason}. Try again in {retry_after} s.")


class ClientGone(Exception):
    """Nobody is there to take the answer."""
