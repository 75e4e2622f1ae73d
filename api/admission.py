"""Who may compute now: a fixed number of slots and a short queue in front, shared by every forked worker.

The slots are bytes of one file without a name, made before the fork, and whoever locks a byte has the slot. The locks
are Linux's open-file-description locks (fcntl(2), F_OFD_SETLK): every admission opens the file anew, so threads of one
process exclude each other as well, and the kernel drops the lock with the descriptor, however its owner ended. A
worker that is killed therefore never takes a slot with it. Bytes [0, slots) are slots, the `queue_length` bytes behind
them places in the queue.

Whoever leaves a slot raises an event (eventfd(2)) that wakes the waiting; a short poll covers owners that died and
raised nothing.
"""

import fcntl
import math
import os
import select
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

POLL_SECONDS = 0.05  # longest time a slot of a killed worker stays unnoticed
FLOCK = "@hhqqi4x"  # struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid


class Overloaded(Exception):
    """No slot could be had. `retry_after` is in whole seconds; the text is meant for the client."""

    def __init__(self, reason: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"The service is busy: {reason}. Try again in {retry_after} s.")


class Admission:
    """`slots` callers at a time, `queue_length` more waiting for at most `timeout` seconds.

    Make it before the fork; the forked processes share it.
    """

    def __init__(self, *, slots: int, queue_length: int, timeout: float) -> None:
        self._slots = range(slots)
        self._places = range(slots, slots + queue_length)
        self._timeout = timeout
        self._retry_after = max(1, math.ceil(timeout))  # within this time everybody now waiting is served or refused
        self._file = os.memfd_create("hush-admission")
        self._freed = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def close(self) -> None:
        """Gives back the descriptors; admissions still held stay locked until they end."""
        os.close(self._file)
        os.close(self._freed)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Holds a slot for the length of the block; raises `Overloaded` at once or after the timeout."""
        claim = os.open(f"/proc/self/fd/{self._file}", os.O_RDWR | os.O_CLOEXEC)
        try:
            self._enter(claim)
            try:
                yield
            finally:
                _unlock(claim, self._slots)
                self._wake()
        finally:
            os.close(claim)

    def in_use(self) -> int:
        """How many slots are held now."""
        return sum(self._is_taken(range(slot, slot + 1)) for slot in self._slots)

    def waiting(self) -> bool:
        """Whether anybody waits in the queue."""
        return self._is_taken(self._places)

    def _enter(self, claim: int) -> None:
        # Who comes later does not overtake: with others waiting, a free slot is theirs.
        if not self.waiting() and _lock_any(claim, self._slots):
            return
        if not _lock_any(claim, self._places):
            raise Overloaded("all slots and all places in the queue are taken", self._retry_after)
        try:
            self._wait(claim)
        finally:
            _unlock(claim, self._places)
        self._wake()  # more than one slot may be free: the next one looks as well

    def _wait(self, claim: int) -> None:
        deadline = time.monotonic() + self._timeout
        freed = select.poll()  # select() would fail past 1024 open files
        freed.register(self._freed, select.POLLIN)
        while not _lock_any(claim, self._slots):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise Overloaded(f"no slot became free within {self._timeout:g} s", self._retry_after)
            if freed.poll(1000 * min(POLL_SECONDS, remaining)):
                self._calm()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the counter is full: the event is raised already
            os.eventfd_write(self._freed, 1)

    def _calm(self) -> None:
        with suppress(BlockingIOError):  # another waiter was quicker
            os.eventfd_read(self._freed)

    def _is_taken(self, places: range) -> bool:
        """Whether anybody holds a lock in `places`."""
        if not places:
            return False
        answer = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, places))
        return bool(struct.unpack(FLOCK, answer)[0] != fcntl.F_UNLCK)


def _flock(kind: int, places: range) -> bytes:
    return struct.pack(FLOCK, kind, os.SEEK_SET, places.start, len(places), 0)


def _lock_any(claim: int, places: range) -> bool:
    """Tries to lock one byte of `places`, without waiting."""
    for place in places:
        try:
            fcntl.fcntl(claim, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK, range(place, place + 1)))
        except BlockingIOError:
            continue
        return True
    return False


def _unlock(claim: int, places: range) -> None:
    if places:
        fcntl.fcntl(claim, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, places))
