"""When disk, memory or descriptors are used up: 503, nothing half done, and the next request is served.

A limit on the size of files stands in for the full disk here, because it needs no root; tests/faults fills a real one.
"""

import errno
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from api import worker as worker_module
from api.crew import Crew
from api.metrics import Metrics
from api.worker import ProblemWorker
from tests.api.conftest import Make
from tests.api.recordings import FORM_TYPE, decoded, encoded, form, noise
from tests.api.test_errors import assert_problem

LONG = encoded(noise(20.0))  # 640 kB
SMALL_FILE = encoded(noise(20.0, level=0.001), container="FLAC")  # a fraction of what its answer as WAV takes
SHORT = encoded(noise(0.2))
LIMIT = 400_000


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """No file may grow beyond `limit` bytes (EFBIG; Python ignores the signal that goes with it)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def spooled(make_client: Make, tmp_path: Path) -> FlaskClient:
    return make_client(spool_bytes=1000, spool_dir=tmp_path)


@pytest.mark.parametrize("way", ["bare", "form"])
def test_no_room_for_an_upload(spooled: FlaskClient, tmp_path: Path, way: str):
    body, content_type = (LONG, "audio/wav") if way == "bare" else (form(LONG), FORM_TYPE)
    before = open_files()
    with small_files(LIMIT):
        answer = spooled.post("/predict?model=lsa", data=body, content_type=content_type)
    assert_problem(answer, 503, "out-of-room", "no room")
    assert int(answer.headers["Retry-After"]) > 0
    assert open_files() <= before
    assert spooled.post("/predict?model=lsa", data=LONG, content_type="audio/wav", buffered=True).status_code == 200


@pytest.mark.parametrize("path", ["/predict?model=lsa", "/mix-noise?noise_type=white&seed=1"])
def test_no_room_for_an_answer(spooled: FlaskClient, path: str, capfd: pytest.CaptureFixture[str]):
    assert len(SMALL_FILE) < LIMIT
    before = open_files()
    with small_files(LIMIT):
        answer = spooled.post(path, data=SMALL_FILE, content_type="audio/flac")
    assert_problem(answer, 503, "out-of-room")
    assert "Traceback" not in capfd.readouterr().err
    assert open_files() <= before
    whole = spooled.post(path, data=SMALL_FILE, content_type="audio/flac", buffered=True)
    assert len(decoded(whole.data)[0]) == 20 * 16000


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files")])
def test_other_wants(make_client: Make, error: Exception):
    client = make_client()

    @client.application.get("/want")
    def want() -> str:
        raise error

    assert_problem(client.get("/want"), 503, "out-of-room")


def test_other_errors_of_the_system_are_failures(make_client: Make):
    client = make_client()

    @client.application.get("/broken")
    def broken() -> str:
        raise OSError(errno.EIO, "Input/output error")

    assert client.get("/broken").status_code == 500


def test_a_recording_to_mix_is_bounded_in_memory(client: FlaskClient):
    """A small file of 8 channels at 192 kHz would take gigabytes long before its seconds are too many."""
    wide = encoded(noise(1.0, 192_000, 8) * 0 + 0.25, 192_000, container="FLAC")
    mixed = client.post("/mix-noise?noise_type=white", data=wide, content_type="audio/flac", buffered=True)
    assert mixed.status_code == 200
    lying = bytearray(wide)
    lying[18:26] = (int.from_bytes(wide[18:26], "big") | (1 << 36) - 1 & 40 * 192_000).to_bytes(8, "big")
    answer = client.post("/mix-noise?noise_type=white", data=bytes(lying), content_type="audio/flac")
    assert_problem(answer, 413, "audio-too-long", "18.75 seconds")


@pytest.fixture
def worker() -> Iterator[ProblemWorker]:
    config = Config()
    made = ProblemWorker(1, 0, [], None, 30, config, Logger(config))
    made.seat, made.wsgi = 0, SimpleNamespace(extensions={"crew": Crew(Metrics())})
    yield made
    made.tmp.close()


def test_a_worker_without_descriptors_goes_on(worker: ProblemWorker):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with socket.create_connection(listener.getsockname()):
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
            try:
                worker.accept(listener)  # gunicorn's own raises here, and its worker ends
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            assert worker.nr_conns == 0


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"G"])
def test_headers_that_never_end_free_their_thread(worker: ProblemWorker, monkeypatch: pytest.MonkeyPatch, sent: bytes):
    monkeypatch.setattr(worker_module, "HEAD_SECONDS", 0.3)
    ours, theirs = socket.socketpair()
    connection = TConn(worker.cfg, ours, ("127.0.0.1", 1), ("127.0.0.1", 2))
    thread = threading.Thread(target=worker.handle, args=(connection,))
    with ours, theirs:
        theirs.sendall(sent)
        thread.start()
        for _ in range(8):  # a byte now and then: no time limit between two reads would end this
            time.sleep(0.1)
            try:
                theirs.sendall(b"a")
            except BrokenPipeError:
                break
            worker.murder_pending()
        thread.join(5)
        assert not thread.is_alive()
        assert worker._heads == {}
