"""Whether those who were just answered come back at once, learned from the last passes.

A client that sends one recording after the other comes back a moment after its answer, and so do all whose passes were
made together: whoever waits for them gets a full pass again. One that comes when it likes is not worth waiting for.
Which of the two a process serves shows in how many of a pass are followed by another recording within a window after
it.
"""

WINDOW_SHARE = (
    0.5  # of the time of a pass: even after all of that wait it takes no longer than two of half its size, and
)
WINDOW_SECONDS = 0.006  # more, for what does not get shorter with the recordings: answers leave, the next are received
USUAL = 0.75  # of those answered come back within the window: then they are waited for
WEIGHT = 1 / 8  # of the newest pass


class Followers:
    """Times are those of `time.monotonic()`, in seconds. The caller sees to it that one thread at a time is in here."""

    def __init__(self) -> None:
        self._answered, self._until = 1, 0.0  # by the last pass, and the end of its window
        self._arrived, self._in_time = 0, 0  # since the last pass, and of these within the window
        self._usual = 0.0  # share of a pass that comes back in time, exponentially weighted

    def arrived(self, now: float) -> None:
        """A recording came, of whomever."""
        self._arrived += 1
        self._in_time += now <= self._until

    def answered(self, recordings: int, seconds: float, now: float) -> None:
        """A pass of so many was made, and took so long."""
        self._usual += WEIGHT * (min(self._in_time / self._answered, 1.0) - self._usual)
        self._answered, self._until = recordings, now + WINDOW_SHARE * seconds + WINDOW_SECONDS
        self._arrived, self._in_time = 0, 0

    def expected_until(self) -> float:
        """When waiting is of no more use; in the past where nobody is expected or all are back."""
        return self._until if self._usual >= USUAL and self._arrived < self._answered else 0.0
