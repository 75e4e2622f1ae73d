"""The workers as the master sees them: who sits where, who came and how they left.

A worker has a seat, a small number that no other living worker has; its successor may get the same. Metrics are kept by
seat (api/metrics.py). gunicorn_conf.py calls these methods from its hooks.
"""

import mmap
from collections.abc import Iterable
from itertools import count
from typing import Any

from api.metrics import Metrics

SEATS = 4096  # more than there may be workers
GENERATIONS = 4  # of workers that may be there at once, while reloads follow each other; seats are taken in order
WAYS = ("orderly", "hung", "died")


class Crew:
    """Make it in the master, before the first fork."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._left = mmap.mmap(-1, SEATS)  # shared with the workers: 1 where the one in that seat left in order
        # Shared as well: 0 for a seat where nobody accepts connections, otherwise how many its worker has, and one.
        self._carried = memoryview(mmap.mmap(-1, 4 * SEATS)).cast("I")
        metrics.count("hush_worker_starts_total", amount=0)
        for how in WAYS:
            metrics.count("hush_worker_exits_total", (how,), 0)

    def enlist(self, worker: Any, others: Iterable[Any]) -> None:
        """In the master, before the fork of `worker`; `others` are alive, or not known to be dead."""
        taken = {other.seat for other in others}
        worker.seat = next(seat for seat in count() if seat not in taken)
        self._left[worker.seat] = 0
        self._metrics.count("hush_worker_starts_total")

    def join(self, worker: Any) -> None:
        """In the worker, before its first request."""
        self._metrics.sit_down(f"worker{worker.seat}")

    def carry(self, worker: Any) -> None:
        """In the worker, whenever it may have got or lost connections."""
        self._carried[worker.seat] = 1 + worker.nr_conns if worker.alive else 0

    def has_less_than(self, worker: Any) -> bool:
        """In the worker: whether another one has fewer connections."""
        seats = range(GENERATIONS * worker.cfg.workers)
        return any(0 < self._carried[seat] <= worker.nr_conns for seat in seats if seat != worker.seat)

    def leave(self, worker: Any) -> None:
        """In the worker, as the last thing it does."""
        self._left[worker.seat] = 1

    def dismiss(self, worker: Any) -> None:
        """In the master, once `worker` is dead."""
        self._carried[worker.seat] = 0
        how = "orderly" if self._left[worker.seat] else "hung" if worker.aborted else "died"
        self._metrics.count("hush_worker_exits_total", (how,))
