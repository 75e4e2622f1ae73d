"""What the metrics say of jobs, with the states in SQLite and in Redis, over several consumers and applications."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import redis
from flask.testing import FlaskClient

from api.jobs import webhook
from api.jobs.job import claimed
from tests.api.jobs.conftest import SECRET, Bench
from tests.api.jobs.running import redis_server
from tests.api.jobs.test_leases import lose_consumer
from tests.api.jobs.test_webhook import receiver
from tests.api.recordings import encoded, noise

SHORT = encoded(noise(1.0))


def figures(asked: Bench | FlaskClient) -> dict[str, float]:
    """The samples about jobs that /metrics has, without the prefix."""
    client = asked.client if isinstance(asked, Bench) else asked
    text = client.get("/metrics").text
    lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith(("hush_job", "hush_webhook")))
    return {name.removeprefix("hush_"): float(value) for name, _, value in lines}


def ended(bench: Bench) -> dict[str, float]:
    """Counts of outcomes that are not 0."""
    found = {name: value for name, value in figures(bench).items() if name.startswith("jobs_ended_total") and value}
    return {name.partition('"')[2].partition('"')[0]: value for name, value in found.items()}


def test_no_jobs_are_no_numbers(bench: Bench) -> None:
    found = figures(bench)
    assert found.pop("jobs_store_up") == 1
    assert found.pop('job_seconds_bucket{le="60.0",part="wait"}') == 0
    assert 'webhooks_total{outcome="given-up"}' in found
    assert set(found.values()) == {0}


def test_a_service_without_jobs_says_nothing_of_them(client: FlaskClient) -> None:
    assert figures(client) == {}


def test_waiting_running_and_done(bench: Bench) -> None:
    first, second = bench.submit(SHORT), bench.submit(SHORT)
    bench.places.records.change(first[6:], lambda job: replace(job, created=time.time() - 500))
    bench.places.records.change(first[6:], lambda job: claimed(job, "one", time.time(), 30))
    found = figures(bench)
    assert (found['jobs{state="queued"}'], found['jobs{state="running"}']) == (1, 1)
    assert 0 <= found["jobs_oldest_waiting_seconds"] < 60
    assert found["jobs_stored_bytes"] == 2 * len(SHORT)
    assert found["jobs_taken_total"] == 2
    bench.work(second)
    found = figures(bench)
    assert (found['jobs{state="queued"}'], found['jobs{state="running"}']) == (0, 1)
    assert found["jobs_oldest_waiting_seconds"] == 0
    assert ended(bench) == {"done": 1}
    assert found['job_seconds_count{part="wait"}'] == 2
    assert found['job_seconds_bucket{le="60.0",part="wait"}'] == 1
    assert found['job_seconds_bucket{le="900.0",part="wait"}'] == 2
    assert found['job_seconds_bucket{le="+Inf",part="wait"}'] == 2
    assert found['job_seconds_sum{part="wait"}'] == pytest.approx(500, abs=60)
    assert found['job_seconds_count{part="work"}'] == 1
    assert 0 < found['job_seconds_sum{part="work"}'] < 60


def test_the_age_is_that_of_the_first(bench: Bench) -> None:
    """Ages in the queue follow the time of the request, also of a job that goes back into it."""
    path = bench.submit(SHORT)
    bench.submit(SHORT)
    time.sleep(1.1)
    worker = bench.worker(is_stopping=lambda: True)
    worker.requeue = lambda name: None
    worker(path[6:])
    bench.submit(SHORT)
    assert 1.1 < figures(bench)["jobs_oldest_waiting_seconds"] < 60
    bench.work(path)
    found = figures(bench)
    assert found["job_attempts_lost_total"] == 0  # it was given back
    assert found['job_seconds_count{part="wait"}'] == 1  # and is counted where it was begun first


def test_every_end_has_a_name(bench: Bench) -> None:
    cancelled, unreadable, lost, late = (bench.submit(SHORT) for _ in range(4))
    assert bench.client.delete(cancelled).status_code == 200
    folder = bench.settings.jobs_dir
    assert folder is not None
    (folder / "recordings" / f"{unreadable[6:]}.upload").write_bytes(SHORT[:1000])
    bench.work(unreadable)
    for _ in range(3):
        lose_consumer(bench, lost)
        bench.caretaker().round()
    bench.places.records.change(late[6:], lambda job: replace(job, expires=time.time() - 1))
    for _ in range(2):
        bench.caretaker().round()
    assert ended(bench) == {"cancelled": 1, "failed": 1, "given-up": 1, "expired": 1}
    found = figures(bench)
    assert found["job_attempts_lost_total"] == 3
    assert found['jobs{state="queued"}'] == found['jobs{state="running"}'] == found["jobs_stored_bytes"] == 0


def test_removing_what_is_over_counts_no_second_end(bench: Bench) -> None:
    path = bench.submit(SHORT)
    bench.work(path)
    assert bench.client.delete(path).status_code == 200  # it has expired now
    assert ended(bench) == {"done": 1}


def test_every_instance_says_the_same(bench: Bench, make_bench: Callable[..., Bench]) -> None:
    """Twelve consumers end twelve jobs at the same time, told to twice."""
    paths = [bench.submit(SHORT) for _ in range(12)]
    threads = [threading.Thread(target=bench.work, args=(path,)) for path in [*paths, *paths]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = figures(bench)
    assert (found["jobs_taken_total"], found['jobs_ended_total{outcome="done"}']) == (12, 12)
    assert found['job_seconds_count{part="work"}'] == 12
    assert figures(make_bench()) == found


def test_webhooks(make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0,))
    hooked = make_bench(webhook_secret=SECRET, webhook_hosts=("127.0.0.1",))
    with receiver(500, 200, 500, 500) as (url, _):
        for _ in range(2):  # the first is delivered at the second try, the other never
            hooked.client.delete(hooked.submit(SHORT, f"?webhook={url}"))
            for _ in range(3):
                hooked.caretaker().round()
        hooked.client.delete(hooked.submit(SHORT, f"?webhook={url}"))
        make_bench(webhook_secret=SECRET).caretaker().round()
    found = figures(hooked)
    assert found["webhook_tries_total"] == 5
    assert [found[f'webhooks_total{{outcome="{how}"}}'] for how in ("delivered", "given-up", "refused")] == [1, 1, 1]


def test_a_consumer_that_dies_in_the_last_try_leaves_no_webhook_waiting(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0,))
    hooked = make_bench(webhook_secret=SECRET, webhook_hosts=("127.0.0.1",))
    with receiver() as (url, received):
        path = hooked.submit(SHORT, f"?webhook={url}")
        hooked.client.delete(path)
        hooked.places.records.change(path[6:], lambda job: replace(job, webhook_tries=2, webhook_at=time.time() - 1))
        for _ in range(2):
            hooked.caretaker().round()
        assert received == []
    assert hooked.job(path)["webhook"] == "given up"
    assert figures(hooked)['webhooks_total{outcome="given-up"}'] == 1


@pytest.mark.parametrize("states", ["sqlite"], indirect=True)
def test_a_redis_that_hangs_delays_one_scrape_by_a_second(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        bench = make_bench(redis_url=url)
        assert figures(bench)["jobs_store_up"] == 1
        process = psutil.Process(redis.Redis.from_url(url).info("server")["process_id"])
        process.suspend()
        try:
            for longest in (4.0, 1.0):
                started = time.monotonic()
                assert figures(bench) == {"jobs_store_up": 0}
                assert time.monotonic() - started < longest
        finally:
            process.resume()
