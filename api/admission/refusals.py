"""Why somebody does not get to compute."""


class Overloaded(Exception):
    """No slot could be had. `retry_after` is in whole seconds; the text is meant for the client."""

    def __init__(self, reason: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"The service is busy: {reason}. Try again in {retry_after} s.")


class ClientGone(Exception):
    """Nobody is there to take the answer."""
