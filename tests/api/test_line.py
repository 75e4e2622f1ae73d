"""Order, estimates, long work and clients that leave, between real processes and threads."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from api.admission import Admission, ClientGone, Overloaded
from api.admission.floor import Floor
from tests.api.test_admission import forked
from tests.servers import wait_for

Make = Callable[..., Admission]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Admission] = []

    def make(queue_length: int = 8, timeout: float = 20.0, **more: int) -> Admission:
        made.append(Admission(slots=1, queue_length=queue_length, timeout=timeout, **more))
        return made[-1]

    yield make
    for admission in made:
        admission.close()


@pytest.fixture
def floor() -> Iterator[Floor]:
    floor = Floor(slots=2, queue_length=4, timeout=10.0, passes=2)
    yield floor
    floor.close()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_first_come_first_served_over_processes_and_threads(make: Make):
    admission = make()
    into, out = os.pipe()

    def arrive(number: int) -> None:
        with admission.slot():
            os.write(out, bytes([number]))

    pids, threads = [], []
    with admission.slot():
        for number in range(6):
            if number % 2:
                threads.append(in_thread(lambda number=number: arrive(number)))
            else:
                pids.append(forked(lambda number=number: arrive(number)))
            wait_for(lambda number=number: admission.waiting() == number + 1, 5, f"arrival of {number}")
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 3
    for thread in threads:
        thread.join()
    order = list(os.read(into, 100))
    assert order == list(range(6))
    os.close(into)
    os.close(out)


@pytest.mark.parametrize(("number", "longest"), [(signal.SIGKILL, 0.2), (signal.SIGSTOP, 0.5)])
def test_a_first_that_was_killed_or_hangs_does_not_keep_the_others(make: Make, number: int, longest: float):
    admission = make()

    def wait() -> None:
        with admission.slot():
            pass

    delay: list[float] = []

    def second() -> None:
        with admission.slot():
            delay.append(time.monotonic() - freed)

    with admission.slot():
        first = forked(wait)
        wait_for(lambda: admission.waiting() == 1, 5, "the first one's waiting")
        thread = in_thread(second)
        wait_for(lambda: admission.waiting() == 2, 5, "the second one's waiting")
        os.kill(first, number)
        time.sleep(0.02)
        freed = time.monotonic()
    thread.join(5)
    assert delay
    assert delay[0] < longest
    if number == signal.SIGSTOP:
        os.kill(first, signal.SIGCONT)
    os.waitpid(first, 0)


def test_a_wait_that_would_be_too_long_is_refused_at_once(make: Make):
    admission = make(timeout=0.5)
    with admission.slot():
        time.sleep(0.3)  # the only turn known: the next one is expected to take as long

    def wait() -> None:
        with admission.slot():
            pass

    with admission.slot():
        thread = in_thread(wait)
        wait_for(lambda: admission.waiting() == 1, 5, "waiting")
        start = time.monotonic()
        for enter in (admission.check, admission.slot().__enter__):
            with pytest.raises(Overloaded, match=r"in about 1 s, and nobody waits for more than 0\.5 s") as caught:
                enter()
        assert time.monotonic() - start < 0.05
        assert caught.value.retry_after == 1
    thread.join()


def test_retry_after_follows_the_rate_at_which_slots_come_back(floor: Floor):
    assert floor.retry_after(3) == 10  # nothing is known: the longest wait
    for _ in range(50):
        floor.turns.add(6.0)
    assert floor.retry_after(3) == 12  # four turns of 6 s over two slots
    for _ in range(50):
        floor.turns.add(0.01)
    assert floor.retry_after(3) == 1
    assert floor.long_retry_after() == 10
    floor.long_work.add(50.0)
    assert floor.long_retry_after() == 25


def test_the_mean_is_shared_and_survives_its_writers(floor: Floor):
    def add() -> None:
        for _ in range(1000):
            floor.turns.add(2.0)

    writers = [forked(add) for _ in range(3)]
    os.kill(writers[0], signal.SIGKILL)
    for pid in writers:
        os.waitpid(pid, 0)
    assert floor.turns.seconds == pytest.approx(2.0)


def test_long_work_lets_short_work_go_first_and_comes_back(make: Make):
    admission = make(long_requests=1)
    blocks = 60
    done: list[float] = []

    def work() -> None:
        with admission.slot() as turn:
            turn.become_long()
            for _ in range(blocks):
                time.sleep(0.01)
                turn.between_blocks()
            done.append(time.monotonic())

    thread = in_thread(work)
    wait_for(lambda: admission.in_use() == 1, 5, "work")
    waits = []
    for _ in range(5):
        start = time.monotonic()
        with admission.slot():
            waits.append(time.monotonic() - start)
    assert not done
    thread.join(10)
    assert done
    assert max(waits) < 0.1  # a block, not the rest of the work
    assert (admission.in_use(), admission.waiting()) == (0, 0)


def test_long_work_is_bounded_in_number(make: Make):
    admission = make(long_requests=1)
    with admission.slot() as first:
        first.become_long()
        first.leave()
        with admission.slot() as second, pytest.raises(Overloaded, match="1 long recordings"):
            second.become_long()
        first.come_back()
    with admission.slot() as third:
        third.become_long()  # the pass is free again


def test_long_work_that_was_left_needs_no_slot_while_it_waits_for_its_client(make: Make):
    admission = make(long_requests=1, queue_length=0)
    with admission.slot() as turn:
        turn.become_long()
        turn.leave()
        with admission.slot():  # nothing in its way
            assert admission.in_use() == 1
        turn.come_back()
        assert admission.in_use() == 1


def test_a_client_that_hangs_up_leaves_the_line(make: Make):
    admission = make()
    ours, theirs = socket.socketpair()
    with ours, admission.slot():
        timer = threading.Timer(0.1, theirs.close)
        timer.start()
        start = time.monotonic()
        with pytest.raises(ClientGone), admission.slot(ours.fileno()):
            pass
        assert 0.05 < time.monotonic() - start < 0.14  # at once, not at the next poll
        assert admission.waiting() == 0
        timer.join()


def test_work_for_a_client_that_hung_up_ends_between_blocks(make: Make):
    admission = make()
    ours, theirs = socket.socketpair()
    with ours, admission.slot(ours.fileno()) as turn:
        theirs.send(b"the next request")  # bytes to be read are no sign of leaving
        turn.between_blocks()
        theirs.close()
        with pytest.raises(ClientGone):
            turn.between_blocks()
    assert admission.in_use() == 0
