"""Damaged requests, thousands of them: never a failure of the service, never a hang, nothing left behind."""

import gc
import random
import socket
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import torch
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import Settings
from inference.noise import NoiseLibrary
from inference.store import load_store
from tests.api.test_fuzz import mutated
from tests.faults.garbage import Request, quoted, request
from tests.faults.load import memory, open_files
from tests.faults.report import note
from tests.servers import ROOT, Server, wait_for

EXPECTED = {200, 304, 400, 404, 405, 406, 411, 413, 415, 422}
SECONDS = 60.0  # no request may take longer, on a machine however busy; most take some milliseconds


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlaskClient, Path]:
    """The application in this process, which keeps all but the smallest bodies in files of the folder."""
    torch.set_num_threads(1)
    spool = tmp_path_factory.mktemp("spool")
    settings = Settings(spool_bytes=1000, spool_dir=spool, cors_origins=("https://example.org",))
    models = load_store(ROOT / "models", precision="fp32")
    return create_app(settings, models, NoiseLibrary(None)).test_client(), spool


def ask(client: FlaskClient, wanted: Request) -> tuple[int, float]:
    """Status and seconds; the answer is read to its end."""
    began = time.monotonic()
    answer = client.open(
        wanted.path,
        method=wanted.method,
        query_string=wanted.query,
        headers=wanted.headers,
        data=wanted.body,
    )
    list(answer.response)
    answer.close()
    if answer.status_code >= 400 and wanted.method != "HEAD":
        assert answer.content_type == "application/problem+json", wanted
    return answer.status_code, time.monotonic() - began


@pytest.mark.parametrize("count", [400, pytest.param(20_000, marks=pytest.mark.faults)])
def test_damaged_requests_in_this_process(application: tuple[FlaskClient, Path], count: int) -> None:
    client, spool = application
    process, statuses, slowest, halfway = psutil.Process(), Counter[int](), 0.0, 0.0
    files = process.num_fds()
    for number in range(count):
        if number == count // 2:
            gc.collect()
            halfway = process.memory_full_info().uss
        status, seconds = ask(client, request(number))
        assert status in EXPECTED or (status == 499 and "stream" in request(number).query), (number, status)
        statuses[status] += 1
        slowest = max(slowest, seconds)
    gc.collect()
    grown = (process.memory_full_info().uss - halfway) / 2**20
    assert slowest < SECONDS
    assert statuses[200] > count / 50, "hardly anything got through: the mutations are too strong"
    assert statuses[400] > count / 5, "hardly anything was refused: they are too weak"
    assert list(spool.iterdir()) == []
    assert process.num_fds() <= files + 4
    assert grown < 40, "the second half took more memory"
    says = f"second half: {grown:+.0f} MiB; " + ", ".join(
        f"{key}: {value:,}" for key, value in sorted(statuses.items())
    )
    note("damaged requests, in-process", count, 0, slowest, process.memory_full_info().uss / 2**20, says)


def raw(number: int) -> bytes:
    """A request as bytes, damaged in its head too."""
    dice, wanted = random.Random(number), request(number)
    lines = [f"{wanted.method} {wanted.path}?{quoted(wanted.query.encode())} HTTP/1.1", "Host: hush"]
    lines += [f"{name}: {value}" for name, value in wanted.headers.items()]
    lines += [f"Content-Length: {len(wanted.body)}", "Connection: close"]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return (mutated(head, dice) if number % 2 else head) + wanted.body


def status_of(port: int, sent: bytes, *, close: bool) -> int:
    """The status, 0 where the connection ends without one (which HTTP allows for what is no request)."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        try:
            connection.sendall(sent)
            if close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has already been answered
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass
    return int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/1.") else 0


@pytest.mark.parametrize("count", [300, pytest.param(3000, marks=pytest.mark.faults)])
def test_damaged_requests_over_a_socket(gunicorn: Server, count: int) -> None:
    """Where the head is damaged the client closes its side, or both would wait; such a client may get 499."""
    workers = {worker.pid for worker in gunicorn.workers()}
    files, statuses, began = open_files(gunicorn), Counter[int](), time.monotonic()
    for number in range(count):
        statuses[status_of(gunicorn.port, raw(number), close=number % 2 == 1)] += 1
    assert set(statuses) <= EXPECTED | {0, 408, 414, 431, 499, 501, 505}, statuses
    assert statuses[400] > count / 20
    assert {worker.pid for worker in gunicorn.workers()} == workers
    assert "Traceback" not in gunicorn.log
    wait_for(lambda: open_files(gunicorn) <= files + 4, 30, "closing of all files")
    says = ", ".join(f"{key or 'none'}: {value:,}" for key, value in sorted(statuses.items()))
    note("damaged requests over a socket", count, 0, (time.monotonic() - began) / count, memory(gunicorn), says)
