"""Who works on a job, and what happens when nobody does any more."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from api.jobs.job import NotYours, State, claimed
from tests.api.jobs.conftest import Bench
from tests.api.recordings import encoded, noise

SHORT = encoded(noise(1.0))


def lose_consumer(bench: Bench, path: str) -> None:
    """Somebody has taken the job and is never heard of again."""
    name = path.rpartition("/")[2]
    bench.places.records.change(name, lambda job: claimed(job, "dead", time.time() - 10, 1.0))


def test_a_lost_job_is_queued_again_and_finishes(bench: Bench) -> None:
    path = bench.submit(SHORT)
    queue = bench.places.open_queue(None)
    queue.huey.dequeue()  # the message went down with its consumer
    lose_consumer(bench, path)
    bench.caretaker().round()
    assert bench.record(path).state is State.QUEUED
    assert not queue.is_empty()
    bench.work(path)
    assert (bench.job(path)["state"], bench.job(path)["attempts"]) == ("done", 2)


def test_it_is_given_up_after_three_times(bench: Bench) -> None:
    path = bench.submit(SHORT)
    for state in (State.QUEUED, State.QUEUED, State.FAILED):
        lose_consumer(bench, path)
        bench.caretaker().round()
        assert bench.record(path).state is state
    job = bench.job(path)
    assert (job["attempts"], job["problem"]["status"]) == (3, 500)
    assert "3 times" in job["problem"]["detail"]
    with pytest.raises(FileNotFoundError):
        bench.places.storage.size(bench.record(path).upload)


def test_who_has_lost_the_lease_leaves_no_result(bench: Bench) -> None:
    path = bench.submit(SHORT)
    name = path.rpartition("/")[2]

    def lose() -> bool:
        """In the middle of the work somebody else gets the job."""
        bench.places.records.change(name, lambda job: replace(job, owner="another", attempts=2))
        return False

    bench.worker("slow", lose)(name)
    assert (bench.record(path).state, bench.record(path).owner) == (State.RUNNING, "another")
    with pytest.raises(FileNotFoundError):
        bench.places.storage.size(f"{name}.result1")


def test_a_lost_message_is_sent_again(bench: Bench) -> None:
    first, second = bench.submit(SHORT), bench.submit(SHORT)
    queue = bench.places.open_queue(None)
    while queue.huey.dequeue() is not None:
        pass
    bench.caretaker().round()
    names = [queue.huey.dequeue().args[0] for _ in range(2)]
    assert names == [path.rpartition("/")[2] for path in (first, second)]
    assert queue.is_empty()


def test_any_instance_answers(bench: Bench, make_bench: Callable[..., Bench]) -> None:
    """Another application over the same places knows the job, and may cancel it."""
    path = bench.submit(SHORT)
    another = make_bench()
    assert another.client is not bench.client
    assert another.job(path) == bench.job(path)
    assert another.client.delete(path).status_code == 200
    assert bench.job(path)["state"] == "cancelled"


def test_a_job_is_claimed_once(bench: Bench) -> None:
    """Eight consumers at the same instant."""
    name = bench.submit(SHORT).rpartition("/")[2]
    got: list[str] = []
    start = threading.Barrier(8)

    def claim(owner: str) -> None:
        start.wait()
        try:
            bench.places.records.change(name, lambda job: claimed(job, owner, time.time(), 30))
        except NotYours:
            return
        got.append(owner)

    threads = [threading.Thread(target=claim, args=(f"owner {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    job = bench.places.records.get(name)
    assert job is not None
    assert (job.owner, job.attempts) == (got[0], 1)


def test_room_is_counted_by_all_at_once(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(jobs_max_queued=3)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(bench.post(SHORT).status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [202] * 3 + [503] * 5
    assert len(bench.places.records.waiting()) == 3


def test_stopping_gives_the_job_back(bench: Bench) -> None:
    path = bench.submit(SHORT)
    worker = bench.worker(is_stopping=lambda: True)
    asked: list[str] = []
    worker.requeue = asked.append
    worker(path.rpartition("/")[2])
    job = bench.record(path)
    assert (job.state, job.attempts, asked) == (State.QUEUED, 0, [job.id])


def test_files_without_a_job_are_removed(bench: Bench) -> None:
    folder = bench.settings.jobs_dir
    assert folder is not None
    kept = bench.submit(SHORT).rpartition("/")[2]
    for name, age in ((f"{'1' * 32}.upload", 90000), (f"{'2' * 32}.upload", 10), (f"{kept}.upload", 90000)):
        path = folder / "recordings" / name
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    bench.caretaker().round()
    left = {path.name[0] for path in (folder / "recordings").iterdir()}
    assert left == {"2", kept[0]}
