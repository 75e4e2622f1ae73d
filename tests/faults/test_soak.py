"""Twenty thousand short requests of mixed kind: what grows, and whether it gets slower."""

import http.client
import itertools
import os
import statistics
import threading
import time
from pathlib import Path

import pytest

from tests.api.bad_input import AUDIO_ROWS
from tests.api.recordings import FORM_TYPE, encoded, form, noise
from tests.faults.conftest import StartStack
from tests.faults.load import memory, open_files
from tests.faults.report import note
from tests.servers import Server, wait_for

pytestmark = pytest.mark.faults

REQUESTS = int(os.environ.get("HUSH_SOAK_REQUESTS", "20000"))
CLIENTS = 4
PARTS = 10  # of the run, each measured at its end
RAW = {"Content-Type": "audio/wav"}
FORM = {"Content-Type": FORM_TYPE}
# method, path, body, headers, status
KINDS: tuple[tuple[str, str, bytes, dict[str, str], int], ...] = (
    ("POST", "/predict?model=recurrent", encoded(noise(0.4)), RAW, 200),
    ("POST", "/predict?model=lsa", form(encoded(noise(0.25))), FORM, 200),
    ("POST", "/predict?model=dae&format=flac", encoded(noise(0.33, 44100, 2), 44100, container="FLAC"), RAW, 200),
    ("POST", "/predict?model=lsa&format=mp3", encoded(noise(0.5, 22050), 22050, container="MP3"), RAW, 200),
    ("POST", "/predict?model=lsa&stream=true&format=ogg", encoded(noise(0.3), container="OGG"), RAW, 200),
    ("POST", "/predict?model=dae", encoded(noise(0.2, 8000), 8000, subtype="PCM_24"), RAW, 200),
    ("POST", "/mix-noise?noise_type=pink&snr_db=3", encoded(noise(0.4)), RAW, 200),
    ("POST", "/predict", AUDIO_ROWS["truncated flac"][0], RAW, 400),
    ("POST", "/predict?model=nope", encoded(noise(0.1)), RAW, 404),
    ("GET", "/models", b"", {}, 200),
    ("GET", "/readyz", b"", {}, 200),
    ("GET", "/", b"", {}, 200),
)


class Client(threading.Thread):
    """Takes the next number until there is none; `seconds` of each request, and what went wrong."""

    def __init__(self, port: int, numbers: "itertools.count[int]", end: int) -> None:
        super().__init__()
        self.port, self.numbers, self.end = port, numbers, end
        self.seconds: list[float] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        while (number := next(self.numbers)) < self.end:
            method, path, body, headers, status = KINDS[number % len(KINDS)]
            began = time.monotonic()
            try:
                connection.request(method, path, body or None, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != status:
                    self.wrong.append(f"{path} {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"{path} {error!r}")
                connection.close()
            self.seconds.append(time.monotonic() - began)
        connection.close()


def part(port: int, count: int) -> tuple[list[float], list[str]]:
    numbers = itertools.count()
    clients = [Client(port, numbers, count) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return [second for client in clients for second in client.seconds], [
        say for client in clients for say in client.wrong
    ]


def slope(values: list[float]) -> float:
    """Growth from one measurement to the next, by least squares."""
    return statistics.linear_regression(range(len(values)), values).slope


def test_soak(start_stack: StartStack, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    with start_stack(HUSH_SPOOL_BYTES="20000", HUSH_SPOOL_DIR=str(spool), TMPDIR=str(spool)) as (front, server):
        part(front.port, 200)
        files = open_files(server)
        sizes, medians, worst, wrong = [memory(server)], [], 0.0, []
        for _ in range(PARTS):
            seconds, said = part(front.port, REQUESTS // PARTS)
            sizes.append(memory(server))
            medians.append(statistics.median(seconds))
            worst, wrong = max(worst, *seconds), wrong + said
        check_nothing_is_left(server, files, spool)
    half = sizes[len(sizes) // 2 :]
    per_thousand = slope(half) / (REQUESTS / PARTS / 1000)
    drift = statistics.median(medians[PARTS // 2 :]) / statistics.median(medians[: PARTS // 2])
    course = " ".join(f"{size:.0f}" for size in sizes)
    says = f"MiB: {course}; second half {per_thousand:+.1f} MiB per 1,000; median latency x {drift:.2f}"
    note("soak, mixed short requests", REQUESTS, len(wrong), worst, sizes[-1], says)
    assert wrong == []
    assert per_thousand < 5
    assert "Traceback" not in server.log


def check_nothing_is_left(server: Server, files: int, spool: Path) -> None:
    wait_for(lambda: open_files(server) <= files + 4, 30, "closing of all files")
    assert list(spool.iterdir()) == []
