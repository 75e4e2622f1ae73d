"""Locks on the bytes of a file, which the kernel drops when their owner ends, however it ends.

They are Linux's open-file-description locks (fcntl(2), F_OFD_SETLK): a claim is the file opened anew, so threads of one
process exclude each other as well, and a lock lives no longer than the descriptor of its claim.

Asking the kernel costs a microsecond, and the interpreter, which other threads take meanwhile. So where the owner of a
lock marks it with a ticket in shared memory, nobody asks again for a while as long as the ticket stays the same.
"""

import fcntl
import os
import struct
import time
from collections.abc import Iterable

TRUSTED_SECONDS = 0.05  # longest time that the death of an owner stays unnoticed
FLOCK = "@hhqqi4x"  # struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid


class ByteLocks:
    """Exclusive locks on the bytes of the open descriptor `file`, which itself holds none."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._seen: dict[int, tuple[int, float]] = {}  # place -> its ticket when it was locked, until when that counts

    def claim(self) -> int:
        """A descriptor that can hold locks; `close` gives it and them back."""
        return os.open(f"/proc/self/fd/{self._file}", os.O_RDWR | os.O_CLOEXEC)

    def close(self, claim: int) -> None:
        """Ends the claim. A process started meanwhile may have inherited it, so the locks are given back by name."""
        fcntl.fcntl(claim, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, 0, 0))
        os.close(claim)

    def take_any(self, claim: int, places: Iterable[int]) -> int | None:
        """Locks the first free byte of `places`, without waiting; None when all are taken."""
        for place in places:
            try:
                fcntl.fcntl(claim, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK, place, 1))
            except BlockingIOError:
                continue
            return place
        return None

    def free(self, claim: int, place: int) -> None:
        """Gives the byte back."""
        fcntl.fcntl(claim, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, place, 1))

    def is_taken(self, place: int) -> bool:
        """Whether any claim holds the byte."""
        answer = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, place, 1))
        return bool(struct.unpack(FLOCK, answer)[0] != fcntl.F_UNLCK)

    def is_marked(self, place: int, ticket: int) -> bool:
        """Whether the byte that its owner marked with `ticket`, 0 for not at all, is locked or was very lately."""
        if ticket == 0:
            return False
        now = time.monotonic()
        seen, until = self._seen.get(place, (0, 0.0))
        if ticket == seen and now < until:
            return True
        taken = self.is_taken(place)
        if taken:
            self._seen[place] = ticket, now + TRUSTED_SECONDS
        return taken


def _flock(kind: int, start: int, length: int) -> bytes:
    return struct.pack(FLOCK, kind, os.SEEK_SET, start, length, 0)
