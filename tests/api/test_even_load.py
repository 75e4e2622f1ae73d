"""Connections are shared out evenly among the workers, through the real server."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.servers import Server, start_gunicorn, wait_for

WORKERS = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_gunicorn(tmp_path_factory.mktemp("even"), HUSH_WORKERS=str(WORKERS)) as running:
        yield running


def connections(server: Server) -> list[int]:
    """How many each worker has, fewest first."""
    of_each = (worker.net_connections() for worker in server.workers())
    return sorted(sum(connection.status == "ESTABLISHED" for connection in found) for found in of_each)


def opened(server: Server, count: int, clients: ExitStack) -> None:
    """Opens kept-alive connections one after the other, each with an answer."""
    for _ in range(count):
        session = clients.enter_context(requests.Session())
        assert session.get(f"{server.url}/healthz", timeout=10).status_code == 200
        time.sleep(0.02)


def most_of_twelve(server: Server) -> int:
    """Connections of the worker with most, when there are twelve: the middle of five trials, as machines are busy."""
    found = []
    for _ in range(5):
        wait_for(lambda: sum(connections(server)) == 0, 10, "an idle server")
        with ExitStack() as clients:
            opened(server, 12, clients)
            found.append(max(connections(server)))
    return sorted(found)[2]


def test_each_worker_has_as_many(server: Server):
    assert most_of_twelve(server) <= 5  # 4 each, but for a worker that was late once


def test_a_new_worker_takes_part(server: Server):
    """Its seat is that of one that was killed with connections."""
    with ExitStack() as clients:
        opened(server, 6, clients)
        before = {worker.pid for worker in server.workers()}
        server.workers()[0].kill()
        wait_for(lambda: len({worker.pid for worker in server.workers()} - before) == 1, 30, "a new worker")
        time.sleep(1.5)  # until it accepts and has said so
        opened(server, 6, clients)
        new = next(worker for worker in server.workers() if worker.pid not in before)
        assert sum(connection.status == "ESTABLISHED" for connection in new.net_connections()) >= 2


def test_after_a_reload(server: Server):
    """The new workers sit elsewhere."""
    before = {worker.pid for worker in server.workers()}
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: not before & {worker.pid for worker in server.workers()}, 30, "the end of the old workers")
    wait_for(lambda: len(server.workers()) == WORKERS, 30, "new workers")
    time.sleep(1.5)
    assert most_of_twelve(server) <= 5


def test_a_worker_that_waits_in_vain_accepts_all_the_same(tmp_path: Path):
    """The only other one hangs with fewer connections."""
    with start_gunicorn(tmp_path, HUSH_WORKERS="2") as server, ExitStack() as clients:
        opened(server, 4, clients)
        idle = server.workers()[0]
        idle.suspend()
        try:
            for _ in range(6):
                with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
                    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    assert client.recv(100).startswith(b"HTTP/1.1 200")
        finally:
            idle.resume()
