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
WAYS = ("orderly", "hung", "died")


class Crew:
    """Make it in the master, before the first fork."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._left = mmap.mmap(-1, SEATS)  # shared with the workers: 1 where the one in that seat left in order
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

    def leave(self, worker: Any) -> None:
        """In the worker, as the last thing it does."""
        self._left[worker.seat] = 1

    def dismiss(self, worker: Any) -> None:
        """In the master, once `worker` is dead."""
        how = "orderly" if self._left[worker.seat] else "hung" if worker.aborted else "died"
        self._metrics.count("hush_worker_exits_total", (how,))
