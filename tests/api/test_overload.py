"""More requests than slots, through the real server."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.api.recordings import encoded, noise
from tests.servers import Server, start_gunicorn, wait_for

LONG = encoded(noise(480.0, 8000), 8000)  # seconds of work
SHORT = encoded(noise(0.1))
ONE_AT_A_TIME = {"HUSH_SLOTS": "1", "HUSH_LONG_SECONDS": "3600"}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One slot, one place in the queue, two workers; nobody gives way."""
    folder = tmp_path_factory.mktemp("narrow")
    with start_gunicorn(folder, HUSH_QUEUE_LENGTH="1", HUSH_QUEUE_TIMEOUT_S="30", **ONE_AT_A_TIME) as server:
        yield server


def post(server: Server, audio: bytes) -> requests.Response:
    headers = {"Content-Type": "audio/wav"}
    return requests.post(f"{server.url}/predict?model=lsa", data=audio, headers=headers, timeout=90)


def filled(server: Server, clients: ThreadPoolExecutor) -> list[Future[requests.Response]]:
    """Sends three long requests; returns the two that are accepted once the third has been refused."""
    sent = [clients.submit(post, server, LONG) for _ in range(3)]
    refused = wait_for(lambda: next((request for request in sent if request.done()), None), 60, "a refusal")
    assert refused.result().status_code == 503
    return [request for request in sent if request is not refused]


def test_what_does_not_fit_is_refused_at_once(narrow: Server):
    with ThreadPoolExecutor(3) as clients:
        accepted = filled(narrow, clients)
        refusals = [post(narrow, SHORT) for _ in range(7)]
        assert not any(request.done() for request in accepted)
        assert [request.result().status_code for request in accepted] == [200, 200]
    assert post(narrow, SHORT).status_code == 200
    for answer in refusals:
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
        assert answer.headers["Retry-After"] == "30"
        problem = answer.json()
        assert (problem["type"], problem["retry_after"]) == ("urn:hush:problem:overloaded", 30)
        assert "busy" in problem["detail"]
    delays = sorted(answer.elapsed.total_seconds() for answer in refusals)
    assert delays[len(delays) // 2] < 0.05


def test_health_does_not_wait(narrow: Server):
    with ThreadPoolExecutor(3) as clients:
        accepted = filled(narrow, clients)
        for path in ("/healthz", "/readyz", "/models"):
            assert requests.get(narrow.url + path, timeout=5).status_code == 200
        assert not all(request.done() for request in accepted)


def test_a_wait_past_the_deadline_is_refused(tmp_path: Path):
    with (
        start_gunicorn(tmp_path, HUSH_QUEUE_LENGTH="4", HUSH_QUEUE_TIMEOUT_S="0.2", **ONE_AT_A_TIME) as server,
        ThreadPoolExecutor(2) as clients,
    ):
        answers = sorted(clients.map(lambda _: post(server, LONG), range(2)), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 503]
    assert "within 0.2 s" in answers[1].json()["detail"]


def test_clients_that_hang_up_free_their_slot_and_their_place(narrow: Server):
    """What they asked for would take several seconds."""
    head = f"POST /predict?model=lsa HTTP/1.1\r\nHost: x\r\nContent-Length: {len(LONG)}\r\n\r\n".encode()
    with ExitStack() as clients:
        sockets = [clients.enter_context(socket.create_connection(("127.0.0.1", narrow.port))) for _ in range(2)]
        for client in sockets:
            client.sendall(head + LONG)
        time.sleep(0.7)  # both are received, one computes and one waits
        assert post(narrow, SHORT).status_code == 503
    start = time.monotonic()
    wait_for(lambda: post(narrow, SHORT).status_code == 200, 10, "a free slot")
    assert time.monotonic() - start < 1.5
    assert "Traceback" not in narrow.log


def test_the_slot_of_a_killed_worker_comes_back(narrow: Server):
    before = {worker.pid for worker in narrow.workers()}
    with ThreadPoolExecutor(3) as clients:
        accepted = filled(narrow, clients)
        for worker in narrow.workers():
            worker.kill()
        outcomes = [request.exception() for request in accepted]
    assert all(isinstance(outcome, requests.ConnectionError) for outcome in outcomes)
    wait_for(lambda: len({worker.pid for worker in narrow.workers()} - before) == 2, 20, "two new workers")
    start = time.monotonic()
    assert post(narrow, SHORT).status_code == 200
    assert time.monotonic() - start < 5
