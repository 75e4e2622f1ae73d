"""How long each stage of a request took, for the `Server-Timing` header."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

STAGES = ("queue", "decode", "enhance", "encode")


class StageClock:
    """Adds up the time spent in each stage; the time of a stage inside another one counts for the inner only.

    The pipeline is made of generators that pull from each other: encoding asks enhancing for a block, which asks
    decoding. Entering a stage therefore stops the clock of the one outside.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the block for stage `name`."""
        self._stop()
        self._running.append(name)
        try:
            yield
        finally:
            self._stop()
            self._running.pop()

    def during(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yields `items`, counting the making of each for stage `name`."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def header(self) -> str:
        """The value of `Server-Timing`, in milliseconds (W3C Server Timing)."""
        return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in self.seconds.items())

    def _stop(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
