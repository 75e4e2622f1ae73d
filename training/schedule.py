"""How far a training is, and the learning rate that belongs to it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A budget in steps or in seconds (the other is None), a linear warm-up, then a cosine down to `lowest`."""

    peak: float
    lowest: float
    warm_up: int  # steps
    steps: int | None
    seconds: float | None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("give a budget in steps or in minutes, not both")

    def progress(self, step: int, elapsed: float) -> float:
        """Share of the budget used up, 0 to 1."""
        used = step / self.steps if self.steps is not None else elapsed / (self.seconds or 1.0)
        return min(used, 1.0)

    def learning_rate(self, step: int, elapsed: float) -> float:
        """For the step after `step` steps and `elapsed` seconds."""
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress(step, elapsed)))
        return min(1.0, (step + 1) / self.warm_up) * (self.lowest + (self.peak - self.lowest) * cosine)
