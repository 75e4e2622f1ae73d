"""Slots and queue, between real processes and between threads."""

import fcntl
import gc
import os
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from api.admission import Admission, Overloaded
from api.admission.locks import TRUSTED_SECONDS, ByteLocks
from tests.servers import wait_for


@pytest.fixture
def make() -> Iterator[Callable[..., Admission]]:
    made: list[Admission] = []

    def make(slots: int, queue_length: int = 0, timeout: float = 5.0) -> Admission:
        made.append(Admission(slots=slots, queue_length=queue_length, timeout=timeout))
        return made[-1]

    yield make
    for admission in made:
        admission.close()


def forked(work: Callable[[], None]) -> int:
    """Runs `work()` in a forked process and returns its id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def test_slots_are_counted_between_processes_and_given_back(make):
    admission = make(slots=2)
    into, out = os.pipe()

    def hold():
        with admission.slot():
            os.read(into, 1)

    pids = [forked(hold) for _ in range(2)]
    wait_for(lambda: admission.in_use() == 2, 5, "both slots taken")
    with pytest.raises(Overloaded), admission.slot():
        pass
    os.write(out, b"xx")
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
    with admission.slot():
        assert admission.in_use() == 1
    assert admission.in_use() == 0
    os.close(into)
    os.close(out)


def test_a_killed_holder_gives_its_slot_back(make):
    admission = make(slots=1, queue_length=1, timeout=5)

    def hold():
        with admission.slot():
            time.sleep(60)

    pid = forked(hold)
    wait_for(lambda: admission.in_use() == 1, 5, "slot taken")
    killer = threading.Timer(0.2, os.kill, (pid, signal.SIGKILL))
    killer.start()
    start = time.monotonic()
    with admission.slot():  # waits, although nobody raises the event
        assert 0.1 < time.monotonic() - start < 1.0
    os.waitpid(pid, 0)
    killer.join()


def test_a_killed_waiter_gives_its_place_back(make):
    admission = make(slots=1, queue_length=1, timeout=30)

    def wait():
        with admission.slot():
            pass

    with admission.slot():
        pid = forked(wait)
        wait_for(admission.waiting, 5, "place taken")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        wait_for(lambda: not admission.waiting(), 4 * TRUSTED_SECONDS, "place free")


def test_what_was_seen_lately_is_not_asked_again(monkeypatch: pytest.MonkeyPatch):
    file = os.memfd_create("locks")
    locks = ByteLocks(file)
    claim = locks.claim()
    assert locks.take_any(claim, range(2)) == 0
    asked: list[int] = []
    monkeypatch.setattr(locks, "is_taken", lambda place, ask=locks.is_taken: asked.append(place) or ask(place))
    assert not locks.is_marked(0, 0)
    assert asked == []  # no ticket, no owner
    assert all(locks.is_marked(0, 7) for _ in range(100))
    assert asked == [0]
    assert locks.is_marked(0, 8)  # another owner is looked at anew
    assert asked == [0, 0]
    locks.close(claim)
    wait_for(lambda: not locks.is_marked(0, 8), 4 * TRUSTED_SECONDS, "death of the owner noticed")
    assert not locks.is_marked(1, 9)  # what nobody holds was never seen
    os.close(file)


def test_a_process_computes_on_what_others_leave(make):
    admission = make(slots=6)
    into, out = os.pipe()

    def hold():
        with admission.slot():
            os.read(into, 1)

    with admission.slot(), admission.slot():
        assert admission.passes(3) == 3  # its own slots do not count
        pids = [forked(hold) for _ in range(2)]
        wait_for(lambda: admission.in_use() == 4, 5, "slots of others taken")
        assert admission.passes(3) == 1
        assert admission.passes(1) == 1  # one pass at least
        os.write(out, b"x")
        wait_for(lambda: admission.in_use() == 3, 5, "a slot given back")
        assert admission.passes(3) == 2
    os.write(out, b"x")
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
    assert admission.passes(3) == 3
    for descriptor in (into, out):
        os.close(descriptor)


def test_never_more_holders_than_slots(make):
    """Eight processes of two threads contend; each puts a byte into a pipe on entering, takes one on leaving."""
    admission = make(slots=3, queue_length=64, timeout=60)
    inside, mark = os.pipe()
    os.set_blocking(inside, False)
    worst, note = os.pipe()

    def contend():
        for _ in range(15):
            with admission.slot():
                os.write(mark, b"x")
                time.sleep(0.005)
                depth = int.from_bytes(_queued_bytes(inside), sys.byteorder)
                os.write(note, bytes([depth]))
                os.read(inside, 1)

    def two_threads():
        threads = [threading.Thread(target=contend) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    pids = [forked(two_threads) for _ in range(8)]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 8
    depths = os.read(worst, 65536)
    assert len(depths) == 8 * 2 * 15
    assert max(depths) == 3  # all slots were used, and never one more
    for descriptor in (inside, mark, worst, note):
        os.close(descriptor)


def _queued_bytes(descriptor: int) -> bytes:
    return fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4)


def test_threads_of_one_process_exclude_each_other(make):
    admission = make(slots=1)
    with admission.slot():
        refused: list[Exception] = []

        def enter():
            try:
                with admission.slot():
                    pass
            except Overloaded as error:
                refused.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        assert len(refused) == 1


def test_refusal_is_immediate_when_the_queue_is_full(make):
    admission = make(slots=1, queue_length=0, timeout=30)
    with admission.slot():
        start = time.monotonic()
        with pytest.raises(Overloaded, match="queue are taken") as caught, admission.slot():
            pass
        assert time.monotonic() - start < 0.05
        assert caught.value.retry_after == 30


def test_refusal_after_the_deadline(make):
    admission = make(slots=1, queue_length=1, timeout=0.2)
    with admission.slot():
        start = time.monotonic()
        with pytest.raises(Overloaded, match=r"within 0\.2 s") as caught, admission.slot():
            pass
        assert 0.2 <= time.monotonic() - start < 0.5
        assert caught.value.retry_after == 1
        assert not admission.waiting()  # the place is free again


def test_a_slot_is_given_back_after_an_exception(make):
    admission = make(slots=1)
    with suppress(ZeroDivisionError), admission.slot():
        raise ZeroDivisionError
    assert admission.in_use() == 0


def test_a_freed_slot_wakes_the_waiting_at_once(make):
    admission = make(slots=1, queue_length=2, timeout=5)
    delays: list[float] = []
    freed = [0.0]

    def wait():
        with admission.slot():
            delays.append(time.monotonic() - freed[0])

    threads = [threading.Thread(target=wait) for _ in range(2)]
    with admission.slot():
        for thread in threads:
            thread.start()
        wait_for(admission.waiting, 5, "waiting")
        time.sleep(0.1)
        freed[0] = time.monotonic()
    for thread in threads:
        thread.join()
    assert max(delays) < 0.04  # below the poll, which is only for holders that were killed


def test_the_late_do_not_overtake_the_waiting(make):
    admission = make(slots=1, queue_length=1, timeout=5)

    def wait():
        with admission.slot():
            pass

    with admission.slot():
        pid = forked(wait)
        wait_for(admission.waiting, 5, "waiting")
        os.kill(pid, signal.SIGSTOP)
    assert admission.in_use() == 0  # free, but it belongs to the one that waits
    with pytest.raises(Overloaded), admission.slot():
        pass
    os.kill(pid, signal.SIGCONT)
    assert os.waitpid(pid, 0)[1] == 0


def test_admissions_leave_no_descriptor_open(make):
    admission = make(slots=1, queue_length=1, timeout=0.01)
    gc.collect()  # what other tests have left must not close in between
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        with admission.slot(), suppress(Overloaded), admission.slot():
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_child_started_meanwhile_does_not_keep_the_slot(make):
    admission = make(slots=1)
    with admission.slot():
        child = subprocess.Popen(["sleep", "5"])
    assert admission.in_use() == 0
    child.kill()
    child.wait()
