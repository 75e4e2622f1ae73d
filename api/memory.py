"""Gives memory that is free inside the allocator back to the system.

glibc's malloc returns the end of its heap only. The arrays of a request leave free pages between those that stay: a
worker that needs 15 MiB kept 80 to 220 after mixed requests. malloc_trim(3) returns them all, in a few milliseconds.
"""

import ctypes
import time
from collections.abc import Callable

TRIM_SECONDS = 5.0
WORK_SECONDS = 2.5  # of CPU time: fetching the pages again costs some 10 ms, a few thousandths of that
REST_SECONDS = 0.05  # a worker that computes less between two looks is at rest


def _malloc_trim() -> Callable[[int], int] | None:
    function: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    return function


class Trimmer:
    """Looks when asked, but no more often than every `seconds`, and trims after much work and at rest.

    A worker that gets little of a core would otherwise spend a good part of it on fetching pages again. At rest it is
    trimmed once. Does nothing with another C library.
    """

    def __init__(
        self,
        seconds: float = TRIM_SECONDS,
        *,
        worked: Callable[[], float] = time.process_time,
        trim: Callable[[int], int] | None = None,
    ) -> None:
        self._seconds = seconds
        self._worked = worked
        self._trim = trim or _malloc_trim()
        self._next = time.monotonic() + seconds
        self._trimmed = self._looked = -WORK_SECONDS  # CPU time of this process, at the last trim and the last look

    def __call__(self) -> None:
        """Trims where it is time."""
        if self._trim is None or time.monotonic() < self._next:
            return
        work = self._worked()
        at_rest = work - self._looked < REST_SECONDS < work - self._trimmed
        if at_rest or work - self._trimmed >= WORK_SECONDS:
            self._trim(0)
            self._trimmed = work = self._worked()
        self._looked = work
        self._next = time.monotonic() + self._seconds
