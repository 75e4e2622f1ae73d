"""Memory that is free inside the allocator: given back to the system, and kept apart from what workers share.

glibc's malloc returns the end of its heap only. The arrays of a request leave free pages between those that stay: a
worker that needs 15 MiB kept 80 to 220 after mixed requests. malloc_trim(3) returns them all, in a few milliseconds.
"""

import ctypes
import time
from collections.abc import Callable

TRIM_SECONDS = 5.0
WORK_SECONDS = 2.5  # of CPU time: fetching the pages again costs some 10 ms, a few thousandths of that
REST_SECONDS = 0.05  # a worker that computes less between two looks is at rest

LARGEST_HOLE = 16 * 2**20  # bytes; above it blocks may get mappings of their own
SMALLEST_HOLE = 24  # that malloc gives


class Holes:
    """The free blocks between those in use in the heap of a process that will be forked.

    What a forked process writes into is copied for it by the page, with everything else on that page. So what workers
    allocate should not lie among what they share. Call `fill` right before the fork: glibc then takes fresh pages.
    The blocks are not written to, so they take no memory. Does nothing with another C library.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._filled: list[int] = []
        self._known = hasattr(self._library, "malloc_trim")  # glibc
        if self._known:
            self._malloc, self._free, self._sbrk = self._library.malloc, self._library.free, self._library.sbrk
            self._malloc.restype = self._sbrk.restype = ctypes.c_void_p
            self._malloc.argtypes, self._free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
            self._sbrk.argtypes = [ctypes.c_ssize_t]

    def fill(self) -> int:
        """Takes them all and keeps them; how many there were."""
        if not self._known:
            return 0
        self.open()
        self._library.malloc_trim(0)
        end = self._sbrk(0)
        size = LARGEST_HOLE
        while size >= SMALLEST_HOLE:
            while (block := self._malloc(size)) and block < end:
                self._filled.append(block)
            self._free(block)
            size = min(size * 3 // 4, size - 16)
        self._library.malloc_trim(0)
        return len(self._filled)

    def open(self) -> None:
        """Gives them back, for what the process itself needs next."""
        while self._filled:
            self._free(self._filled.pop())


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
