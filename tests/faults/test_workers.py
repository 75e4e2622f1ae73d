"""Workers that die or are replaced under load: no client notices."""

import http.client
import random
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.api.recordings import encoded, noise
from tests.faults.conftest import Stack, StartStack
from tests.faults.load import load, memory, open_files
from tests.faults.report import note
from tests.servers import Server, wait_for

CLIENTS = 4
LONG = encoded(noise(30.0))


def queue_shares(port: int) -> Iterator[float]:
    """Of two requests at the same time, how long each waited for a slot against how long it computed."""

    def share(_: int) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("POST", "/predict", LONG)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == 200
        stages = dict(re.findall(r"(\w+);dur=([\d.]+)", answer.headers["Server-Timing"]))
        return float(stages["queue"]) / float(stages["enhance"])

    with ThreadPoolExecutor(2) as clients:
        yield from clients.map(share, range(2))


def workers_of(server: Server, count: int = 2) -> list[psutil.Process]:
    return wait_for(lambda: found if len(found := server.workers()) == count else [], 60, f"{count} workers")


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.faults)])
def test_a_worker_killed_while_it_computes(stack: Stack, kills: int) -> None:
    front, server = stack
    before, files = memory(server), open_files(server)
    dice = random.Random(1)
    with load(front.port, CLIENTS) as seen:
        for _ in range(kills):
            victim = dice.choice(workers_of(server))
            wait_for(lambda victim=victim: victim.cpu_percent(0.05) > 5, 30, "computing")
            victim.send_signal(signal.SIGKILL)
            wait_for(lambda victim=victim: victim.pid not in {worker.pid for worker in server.workers()}, 30, "its end")
            # nginx tries twice: whoever has lost one worker gets an answer before the next one goes.
            count = len(seen.seconds)
            wait_for(lambda count=count: len(seen.seconds) >= count + 2 * CLIENTS, 60, "answers")
        workers_of(server)
    assert seen.failures == []
    assert len(seen.seconds) > kills
    assert max(queue_shares(front.port)) < 0.5, "a slot has been lost: one waited for the other"
    retried = (front.folder / "access.log").read_text().count('"upstream_status":"502, 200"')
    assert retried > 0, "no request was with a worker when it died"
    after = memory(server)
    note(f"worker killed {kills} times while computing", len(seen.seconds), 0, seen.worst, after, f"{retried} retried")
    assert after < before + 150
    wait_for(lambda: open_files(server) <= files + 8, 10, "closing of files")


@pytest.mark.parametrize("reloads", [2, pytest.param(10, marks=pytest.mark.faults)])
def test_reload_under_load(stack: Stack, reloads: int) -> None:
    front, server = stack
    with load(front.port) as seen:
        for _ in range(reloads):
            before = {worker.pid for worker in workers_of(server)}
            server.process.send_signal(signal.SIGHUP)
            wait_for(lambda before=before: not before & {worker.pid for worker in server.workers()}, 90, "new workers")
            workers_of(server)
    assert seen.failures == []
    assert seen.seconds
    note(f"{reloads} reloads (SIGHUP)", len(seen.seconds), 0, seen.worst, memory(server))


@pytest.mark.faults
def test_recycling_under_load(start_stack: StartStack) -> None:
    with start_stack(HUSH_MAX_REQUESTS="15", HUSH_MAX_REQUESTS_JITTER="10") as (front, server):
        with load(front.port) as seen:
            wait_for(lambda: server.log.count("Autorestarting worker") >= 12, 150, "12 replaced workers")
        assert seen.failures == []
        replaced = server.log.count("Autorestarting worker")
        note(f"{replaced} workers recycled (max requests)", len(seen.seconds), 0, seen.worst, memory(server))
