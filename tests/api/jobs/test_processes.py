"""Consumers as real processes, with real Redis and SQLite: killed, stopped, cancelled while they compute."""

import time
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.api.jobs.conftest import SECRET
from tests.api.jobs.running import WAV, Service, redis_server, service
from tests.api.jobs.test_webhook import receiver, verify
from tests.api.recordings import encoded, noise
from tests.servers import wait_for

LONG = encoded(noise(400.0))  # some seconds of computing
SHORT = encoded(noise(2.0))


@pytest.fixture(scope="module")
def on_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("redis-jobs")
    with redis_server(folder) as url, service(folder, HUSH_REDIS_URL=url) as running:
        yield running


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sqlite-jobs")
    with service(folder, HUSH_WEBHOOK_SECRET=SECRET, HUSH_WEBHOOK_HOSTS="127.0.0.1") as running:
        yield running


def under_way(running: Service, path: str) -> None:
    """Waits until some of the job is done, and not all."""
    wait_for(lambda: running.job(path)["progress"] > 0, 60, "progress")
    assert running.job(path)["state"] == "running"


def test_a_killed_consumer_costs_no_job(on_redis: Service) -> None:
    first = on_redis.start_consumer()
    assert psutil.Process(first.process.pid).nice() == 10
    path = on_redis.submit(LONG)
    under_way(on_redis, path)
    first.kill()
    assert on_redis.get(f"{path}/audio").status_code == 409
    second = on_redis.start_consumer()
    job = on_redis.wait(path, "done", 120)
    assert job["attempts"] == 2
    assert "has lost its consumer in attempt 1" in second.log
    audio = on_redis.get(f"{path}/audio")
    direct = requests.post(f"{on_redis.url}/predict", data=LONG, headers=WAV, timeout=120)
    assert audio.content == direct.content
    assert len(list((on_redis.folder / "jobs" / "recordings").iterdir())) == 1  # no upload, no half result
    counted = on_redis.get("/metrics").text  # the lost attempt and the end, though neither process counts for itself
    for line in ('jobs_ended_total{outcome="done"} 1.0', "job_attempts_lost_total 1.0", 'jobs{state="running"} 0.0'):
        assert f"\nhush_{line}\n" in counted


def test_cancelled_while_it_computes_then_told_then_stopped(on_sqlite: Service) -> None:
    """One consumer for the three, as its start takes longest."""
    consumer = on_sqlite.start_consumer()

    path = on_sqlite.submit(LONG)
    under_way(on_sqlite, path)
    assert requests.delete(on_sqlite.url + path, timeout=10).json()["state"] == "cancelled"
    cancelled = time.monotonic()
    with receiver() as (url, received):
        told = on_sqlite.submit(SHORT, f"?webhook={url}")
        on_sqlite.wait(told, "done")  # the consumer is free
        assert time.monotonic() - cancelled < 20
        assert "was taken away" in consumer.log
        wait_for(lambda: received, 20, "webhook")
        verify(*received[0][1:])
    wait_for(lambda: on_sqlite.job(told)["webhook"] == "delivered", 10, "note of the delivery")

    path = on_sqlite.submit(LONG)
    under_way(on_sqlite, path)
    consumer.process.terminate()
    assert consumer.process.wait(30) == 0
    job = on_sqlite.job(path)
    assert (job["state"], job["position"], job["attempts"]) == ("queued", 1, 0)
    results = [name.name for name in (on_sqlite.folder / "jobs" / "recordings").iterdir()]
    assert sorted(results) == sorted([f"{path[6:]}.upload", f"{told[6:]}.result1"])
