"""Who waits, over all processes, in the order of their arrival.

A place in the line is a byte that its owner has locked, and beside it a ticket in shared memory: the system's monotonic
clock, in nanoseconds, at which the owner began to wait; 0 while it does not. The lock is the truth: the ticket of a
process that was killed stays, and counts for nothing. So nobody has to tidy up, and no counter has to be guarded.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from api.admission.locks import ByteLocks

BELLS = 64  # descriptors, at most; places that share one are woken a poll later at worst


class Line:
    """The places `places`; `tickets` is shared memory, one unsigned 64-bit number for each."""

    def __init__(self, locks: ByteLocks, tickets: memoryview, places: range) -> None:
        self._locks = locks
        self._tickets = tickets
        self._first = places.start
        self._bells = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(min(len(places), BELLS))]

    def close(self) -> None:
        """Gives back the descriptors."""
        for bell in self._bells:
            os.close(bell)

    def join(self, place: int) -> None:
        """The owner of `place` waits from now on."""
        self._tickets[place - self._first] = time.monotonic_ns()

    def leave(self, place: int) -> None:
        """The owner of `place` does not wait."""
        self._tickets[place - self._first] = 0

    def in_order(self) -> Iterator[int]:
        """The places of those who wait, first come first."""
        waiting = sorted((ticket, place) for place, ticket in enumerate(self._tickets, self._first) if ticket)
        return (place for ticket, place in waiting if self._locks.is_marked(place, ticket))

    def first(self) -> int | None:
        """The place of the one who has waited longest; None when nobody waits."""
        return next(self.in_order(), None)

    def bell(self, place: int) -> int:
        """The descriptor that becomes readable when the owner of `place` should look whether it is its turn."""
        return self._bells[(place - self._first) % len(self._bells)]

    def ring(self, place: int) -> None:
        """Wakes the owner of `place`."""
        with suppress(BlockingIOError):  # the counter is full: it is ringing already
            os.eventfd_write(self.bell(place), 1)

    def silence(self, place: int) -> None:
        """Takes note of the bell."""
        with suppress(BlockingIOError):  # it did not ring, or another place shares it
            os.eventfd_read(self.bell(place))
