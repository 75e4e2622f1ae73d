"""How long each stage of a request took, for the `Server-Timing` header."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

STAGES = ("parse", "queue", "decode", "enhance", "encode")


class StageClock:
    """Adds up the time spent in each stage; the time of a stage inside another one counts for the inner only.

    The pipeline is made of generators that pull from each other: encoding asks enhancing for a block, which asks
    decoding. Entering a stage therefore stops the clock of the one outside.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the block for stage `name`."""
        self._enter(name)
        try:
            yield
        finally:
            self._leave()

    def during(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yields `items`, counting the making of each for stage `name`."""
        iterator = iter(items)
        while True:
            self._enter(name)
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self._leave()
            yield item

    def header(self) -> str:
        """The value of `Server-Timing`, in milliseconds (W3C Server Timing)."""
        return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in self.seconds.items())

    def _enter(self, name: str) -> None:
        self._count()
        self._running.append(name)

    def _leave(self) -> None:
        self._count()
        self._running.pop()

    def _count(self) -> None:
        """Adds what has passed to the stage that was running."""
        now = self._now()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


class SpanClock(StageClock):
    """Also knows when each stage began first and ended last, on the clock of `now`. For traces: it costs a little."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(now)
        self.between: dict[str, tuple[float, float]] = {}

    def _count(self) -> None:
        since = self._since
        super()._count()
        if self._running:
            stage = self._running[-1]
            self.between[stage] = (self.between.get(stage, (since, since))[0], self._since)
