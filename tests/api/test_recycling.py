"""Workers that are replaced after so many requests lose none of them."""

import http.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.api.recordings import encoded, noise
from tests.servers import Server, start_gunicorn, wait_for

SHORT = encoded(noise(0.5))
CLIENTS = 4
REQUESTS = 40  # of each client


def statuses(server: Server, kept: bool) -> "Counter[int | str]":
    """Posts one request after the other, each on a connection of its own or as many on one as the server allows."""
    found: Counter[int | str] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for _ in range(REQUESTS):
        try:
            headers = {} if kept else {"Connection": "close"}
            connection.request("POST", "/predict?model=dae", SHORT, headers)
            answer = connection.getresponse()
            complete = len(answer.read()) == int(answer.headers["Content-Length"])
            found[answer.status if complete else "cut off"] += 1
        except (OSError, http.client.HTTPException) as error:
            found[repr(error)] += 1
            connection.close()
    connection.close()
    return found


def ended(worker: psutil.Process) -> bool:
    return bool(worker.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("kept", [False, True], ids=["a connection a request", "kept connections"])
def test_recycling_under_load_loses_no_request(tmp_path: Path, kept: bool):
    with (
        start_gunicorn(tmp_path, HUSH_MAX_REQUESTS="25", HUSH_MAX_REQUESTS_JITTER="10") as server,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        first = {worker.pid for worker in server.workers()}
        found = sum(clients.map(lambda _: statuses(server, kept), range(CLIENTS)), Counter())
        assert found == {200: CLIENTS * REQUESTS}
        replaced = server.log.count("Autorestarting worker")
        assert replaced >= 4
        wait_for(lambda: not first & {worker.pid for worker in server.workers()}, 10, "the first workers' end")
        wait_for(lambda: len(server.workers()) == 2, 20, "two workers")
        wait_for(lambda: not any(map(ended, server.workers())), 5, "the master to take note of the ends")
