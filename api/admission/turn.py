"""One request on its way: waiting, computing, giving way to others, sending, computing again."""

import select
import time

from api.admission.floor import Floor
from api.admission.refusals import ClientGone, Overloaded

POLL_SECONDS = 0.05  # without a bell: somebody else may have died


class Turn:
    """The claim of one request, used by one thread.

    `client` is the descriptor of the client's socket: its owner hanging up ends the waiting. A client that shuts down
    its own direction only is taken for gone as well, as nginx takes it.
    """

    def __init__(self, floor: Floor, client: int | None = None) -> None:
        self._floor = floor
        self._client = client
        self._claim = floor.locks.claim()
        self._slot: int | None = None
        self._pass: int | None = None
        self._slot_since = 0.0  # time.monotonic() of taking the slot, and of taking the pass
        self._pass_since = 0.0

    def enter(self) -> None:
        """Takes a slot, or waits for one; raises `Overloaded` at once or after the timeout, and `ClientGone`."""
        floor = self._floor
        if self._enter_at_once():
            return
        floor.check()
        place = floor.locks.take_any(self._claim, floor.places)
        if place is None:
            raise floor.full(len(floor.places))
        try:
            self._wait(place, time.monotonic() + floor.timeout)
        finally:
            floor.locks.free(self._claim, place)

    def become_long(self) -> None:
        """From now on the slot may be left and taken again, without a deadline; raises `Overloaded`.

        May be called again.
        """
        if self._pass is not None:
            return
        floor = self._floor
        self._pass = floor.locks.take_any(self._claim, floor.passes)
        if self._pass is None:
            reason = f"{len(floor.passes)} long recordings are being enhanced already"
            raise Overloaded(reason, floor.long_retry_after(), "long-work")
        floor.line.leave(self._pass)  # a process that was killed may have left its ticket
        self._pass_since = time.monotonic()

    def between_blocks(self) -> None:
        """Ends work for a client that is gone (`ClientGone`); lets others go first where this is long work."""
        self._check_client()
        if self._pass is not None and self._floor.line.first() is not None:
            self.leave()
            self.come_back()

    def leave(self) -> None:
        """Gives the slot to whoever is next; nothing to do without one."""
        if self._slot is None:
            return
        slot, self._slot = self._slot, None
        self._floor.turns.add(time.monotonic() - self._slot_since)
        self._floor.give_back(self._claim, slot)

    def come_back(self) -> None:
        """Takes a slot again, behind those who wait now, and cannot be refused; raises `ClientGone`."""
        assert self._pass is not None
        if not self._enter_at_once():
            self._wait(self._pass, float("inf"))

    def end(self) -> None:
        """Gives everything back."""
        self.leave()
        if self._pass is not None:
            self._floor.long_work.add(time.monotonic() - self._pass_since)
        self._floor.locks.close(self._claim)

    def _enter_at_once(self) -> bool:
        # Who comes later does not overtake: with others waiting, a free slot is theirs.
        return self._floor.line.first() is None and self._take_slot()

    def _take_slot(self) -> bool:
        self._slot = self._floor.take_slot(self._claim)
        self._slot_since = time.monotonic()
        return self._slot is not None

    def _wait(self, place: int, deadline: float) -> None:
        """Waits at `place` until a slot is had; raises `Overloaded`, `ClientGone`."""
        line = self._floor.line
        line.join(place)
        try:
            idle_looks = 0  # how often in a row nobody took the slot that is free
            while not (self._may_go(place, idle_looks) and self._take_slot()):
                if time.monotonic() >= deadline:
                    reason = f"no slot became free within {self._floor.timeout:g} s"
                    raise Overloaded(reason, self._retry_after(), "timeout")
                rang = self._sleep(place, deadline)
                idle_looks = 0 if rang or self._floor.is_full() else idle_looks + 1
        finally:
            line.leave(place)
            self._floor.ring_first()  # another slot may be free as well, or this one was told in vain

    def _may_go(self, place: int, idle_looks: int) -> bool:
        """Whether it is the turn of `place`; so it is when those before it hang and leave a free slot alone."""
        if idle_looks == 1:
            self._floor.ring_first()
        return idle_looks > 1 or self._floor.line.first() == place

    def _sleep(self, place: int, deadline: float) -> bool:
        """Sleeps for a short while or until the bell of `place` rings (True); raises `ClientGone`."""
        line = self._floor.line
        wake = select.poll()  # select() would fail past 1024 open files
        wake.register(line.bell(place), select.POLLIN)
        if self._client is not None:
            wake.register(self._client, select.POLLRDHUP)
        ready = wake.poll(1000 * min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
        if any(descriptor == self._client for descriptor, _ in ready):
            raise ClientGone
        line.silence(place)
        return bool(ready)

    def _retry_after(self) -> int:
        return self._floor.retry_after(sum(1 for _ in self._floor.line.in_order()))

    def _check_client(self) -> None:
        if self._client is None:
            return
        look = select.poll()
        look.register(self._client, select.POLLRDHUP)
        if look.poll(0):
            raise ClientGone
