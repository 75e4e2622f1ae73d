"""Who may compute now: a fixed number of slots and a short line in front, shared by every forked worker.

    locks.py     what is held: locks on bytes of one file, which the kernel drops with their owner
    line.py      who waits, in the order of arrival, and how the next one is woken
    mean.py      how long a slot is held lately
    floor.py     all of that together: who is refused, and when to come back
    turn.py      the way of one request through it

Short work takes a slot once and keeps it. Long work has a pass: it lets others go first between blocks, cannot be
refused any more, and is bounded in number. A worker that is killed takes nothing with it, a client that hangs up frees
what it held.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from api.admission.floor import Floor
from api.admission.refusals import ClientGone, Overloaded
from api.admission.turn import Turn

__all__ = ["Admission", "ClientGone", "Overloaded", "Turn"]


class Admission:
    """`slots` callers at a time, `queue_length` more waiting for at most `timeout` seconds, `long_requests` long ones.

    Make it before the fork; the forked processes share it.
    """

    def __init__(self, *, slots: int, queue_length: int, timeout: float, long_requests: int = 0) -> None:
        self._floor = Floor(slots=slots, queue_length=queue_length, timeout=timeout, passes=long_requests)

    def close(self) -> None:
        """Gives back the descriptors; slots still held stay locked until they end."""
        self._floor.close()

    def check(self) -> None:
        """Raises `Overloaded` when somebody arriving now would be refused. Takes nothing and waits for nothing."""
        self._floor.check()

    @contextmanager
    def slot(self, client: int | None = None) -> Iterator[Turn]:
        """Holds a slot for the length of the block; `client` is the descriptor of the client's socket.

        Raises `Overloaded` at once or after the timeout, and `ClientGone` when the client hangs up while waiting.
        """
        turn = Turn(self._floor, client)
        try:
            turn.enter()
            yield turn
        finally:
            turn.end()

    @property
    def slots(self) -> int:
        """How many there are."""
        return len(self._floor.slots)

    @property
    def places(self) -> int:
        """How many may wait."""
        return len(self._floor.places)

    def in_use(self) -> int:
        """How many slots are held now."""
        return self._floor.in_use()

    def passes(self, cores: int) -> int:
        """How many of `cores` cores this process may compute on now: those that no other process has a use for."""
        return max(1, cores - self._floor.held_by_others())

    def waiting(self) -> int:
        """How many wait, for a first slot or for another one."""
        return sum(1 for _ in self._floor.line.in_order())
