"""Gives memory that is free inside the allocator back to the system.

glibc's malloc returns the end of its heap only. The arrays of a request leave free pages between those that stay: a
worker that needs 15 MiB kept 80 to 220 after mixed requests. malloc_trim(3) returns them all, in a few milliseconds.
"""

import ctypes
import time
from collections.abc import Callable

TRIM_SECONDS = 5.0  # fetching the pages again costs some 10 ms, so a few thousandths of the time at most


def _malloc_trim() -> Callable[[int], int] | None:
    function: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    return function


class Trimmer:
    """Trims when asked, but no more often than every `seconds`; does nothing with another C library."""

    def __init__(self, seconds: float = TRIM_SECONDS) -> None:
        self._seconds = seconds
        self._trim = _malloc_trim()
        self._next = time.monotonic() + seconds

    def __call__(self) -> None:
        """Trims where it is time."""
        now = time.monotonic()
        if self._trim is not None and now >= self._next:
            self._trim(0)
            self._next = time.monotonic() + self._seconds
