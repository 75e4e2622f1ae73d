"""What all processes share: the slots, the line in front of them, how long a slot is held, and what follows from that.

One file without a name, made before the fork, holds both the locks (on its first bytes: slots, places in the queue,
passes for long work) and the numbers (its content: a ticket for each of them, and two means). The ticket of a slot is
the time at which it was taken, that of the others the time since which their owner waits; 0 is none.
"""

import math
import mmap
import os
import threading
import time
from itertools import filterfalse

from api.admission.line import Line
from api.admission.locks import ByteLocks
from api.admission.mean import SharedMean
from api.admission.refusals import Overloaded

NUMBER_BYTES = 8


class Floor:
    """Make it before the fork; the forked processes share it. `timeout` is the longest wait, in seconds."""

    def __init__(self, *, slots: int, queue_length: int, timeout: float, passes: int) -> None:
        self.slots = range(slots)
        self.places = range(slots, slots + queue_length)
        self.passes = range(self.places.stop, self.places.stop + passes)
        self.timeout = timeout
        self._own = 0  # slots that this process holds
        self._guard = threading.Lock()
        self._file = os.memfd_create("hush-admission")
        self.locks = ByteLocks(self._file)
        tickets = self.passes.stop
        os.ftruncate(self._file, NUMBER_BYTES * (tickets + 2))
        self._numbers = memoryview(mmap.mmap(self._file, 0))
        ends = [NUMBER_BYTES * count for count in (slots, tickets, tickets + 1, tickets + 2)]
        self._taken_at = self._numbers[: ends[0]].cast("Q")
        self.line = Line(self.locks, self._numbers[ends[0] : ends[1]].cast("Q"), range(slots, self.passes.stop))
        self.turns = SharedMean(self._numbers[ends[1] : ends[2]].cast("d"))
        self.long_work = SharedMean(self._numbers[ends[2] : ends[3]].cast("d"))

    def close(self) -> None:
        """Gives back the descriptors; what is still held stays locked until it ends."""
        self.line.close()
        os.close(self._file)

    def in_use(self) -> int:
        """How many slots are held now."""
        return sum(map(self._is_held, self.slots))

    def take_slot(self, claim: int) -> int | None:
        """A slot that was free; None when all are held."""
        slot = self.locks.take_any(claim, filterfalse(self._is_held, self.slots))
        if slot is not None:
            self._taken_at[slot] = time.monotonic_ns()
            self._count_own(1)
        return slot

    def give_back(self, claim: int, slot: int) -> None:
        """Lets others have the slot, and tells the first of them."""
        self._taken_at[slot] = 0
        self.locks.free(claim, slot)
        self._count_own(-1)
        self.ring_first()

    def _is_held(self, slot: int) -> bool:
        return self.locks.is_marked(slot, self._taken_at[slot])

    def _count_own(self, change: int) -> None:
        with self._guard:
            self._own += change

    def held_by_others(self) -> int:
        """How many slots other processes hold now."""
        return max(0, self.in_use() - self._own)

    def is_full(self) -> bool:
        """Whether every slot is held."""
        return all(map(self._is_held, self.slots))

    def ring_first(self) -> None:
        """Tells the one who has waited longest that a slot may be free."""
        first = self.line.first()
        if first is not None:
            self.line.ring(first)

    def check(self) -> None:
        """Raises `Overloaded` when somebody arriving now could not be served in time."""
        if not self.is_full():
            return
        waiting = list(self.line.in_order())
        if sum(place in self.places for place in waiting) >= len(self.places):
            raise self.full(len(waiting))
        wait = self._drain_seconds(len(waiting) + 1)
        if wait is not None and wait > self.timeout:
            reason = f"a slot would be free in about {wait:.0f} s, and nobody waits for more than {self.timeout:g} s"
            raise Overloaded(reason, self.retry_after(len(waiting)), "too-slow")

    def full(self, waiting: int) -> Overloaded:
        """The refusal of somebody who finds `waiting` others and no place."""
        return Overloaded("all slots and all places in the queue are taken", self.retry_after(waiting), "queue-full")

    def retry_after(self, waiting: int) -> int:
        """Whole seconds until the `waiting` of now will have had a slot, as fast as slots were given back lately."""
        return _whole(self._drain_seconds(waiting + 1), self.timeout)

    def long_retry_after(self) -> int:
        """Whole seconds until one of the passes is probably free."""
        mean = self.long_work.seconds
        return _whole(None if mean is None else mean / len(self.passes), self.timeout)

    def _drain_seconds(self, turns: int) -> float | None:
        mean = self.turns.seconds
        return None if mean is None else turns * mean / len(self.slots)


def _whole(seconds: float | None, otherwise: float) -> int:
    return max(1, math.ceil(otherwise if seconds is None else seconds))
