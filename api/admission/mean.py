"""How long things take lately, known to all processes."""

LONGEST = 86400.0  # seconds


class SharedMean:
    """An exponentially weighted mean of seconds, in `cell`: shared memory for one float of 64 bits.

    Nothing is locked. Two processes that add at the same instant lose one of the two values, and a process that is
    killed leaves the old value or the new one, since eight aligned bytes are written at once.
    """

    WEIGHT = 1 / 8  # of the newest value

    def __init__(self, cell: "memoryview[float]") -> None:
        self._cell = cell

    def add(self, seconds: float) -> None:
        """Takes one more value into account."""
        mean = self.seconds
        self._cell[0] = seconds if mean is None else mean + self.WEIGHT * (seconds - mean)

    @property
    def seconds(self) -> float | None:
        """The mean; None before the first value."""
        mean = float(self._cell[0])
        return mean if 0 < mean < LONGEST else None
