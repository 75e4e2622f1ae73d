"""The rows of bad input once more with the application in the test process, and the errors only a process can show.

Here each row is quick and its coverage is counted; that the whole server behaves the same is the business of
test_bad_input.py.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.errors import ConfigurationProblem, InvalidRequestLine, LimitRequestLine
from werkzeug.test import TestResponse

from api.worker import ProblemWorker
from tests.api.bad_input import AUDIO_ROWS, BROKEN_FORMS, GOOD, NO_FILE, QUERIES
from tests.api.conftest import Make
from tests.api.recordings import FORM_TYPE, encoded, form, noise


def assert_problem(answer: TestResponse, status: int, kind: str = "", *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json()
    assert problem["type"] == f"urn:hush:problem:{kind}" if kind else problem["type"].startswith("urn:hush:problem:")
    for word in words:
        assert word in problem["detail"]


@pytest.mark.parametrize("row", AUDIO_ROWS)
@pytest.mark.parametrize("path", ["/predict", "/mix-noise?noise_type=white"])
def test_bad_audio(client: FlaskClient, path: str, row: str):
    content, status, kind, words = AUDIO_ROWS[row]
    assert_problem(client.post(path, data=form(content), content_type=FORM_TYPE), status, kind, *words)


@pytest.mark.parametrize("row", NO_FILE)
def test_no_file(client: FlaskClient, row: str):
    body, headers, words = NO_FILE[row]
    assert_problem(client.post("/predict", data=body, headers=headers), 400, "no-audio-file", words)


@pytest.mark.parametrize("row", BROKEN_FORMS)
def test_broken_form(client: FlaskClient, row: str):
    body, content_type = BROKEN_FORMS[row]
    assert_problem(client.post("/predict", data=body, content_type=content_type), 400)


@pytest.mark.parametrize("path", QUERIES)
def test_bad_query(client: FlaskClient, path: str):
    answer = client.post(path, data=form(GOOD), content_type=FORM_TYPE)
    assert_problem(answer, 400, "invalid-query", QUERIES[path])


def test_other_rows(client: FlaskClient):
    def post(path: str, **extra: object) -> TestResponse:
        return client.post(path, data=GOOD, content_type="audio/wav", **extra)

    assert_problem(post("/predict?model=nope"), 404, "unknown-model", "nope")
    assert_problem(post("/mix-noise?noise_type=nope"), 400, "unknown-noise-type", "nope")
    assert_problem(post("/predict", headers={"Accept": "text/html"}), 406, "not-acceptable", "audio/wav")
    assert_problem(client.get("/models", headers={"Accept": "text/html"}), 406, "not-acceptable", "json")
    assert_problem(client.post("/predict", json={}), 415, "unreadable-content-type", "application/json", "FLAC")
    wrong_method = client.get("/predict")
    assert (wrong_method.status_code, wrong_method.get_json()["type"]) == (405, "about:blank")
    assert "POST" in wrong_method.headers["Allow"]
    wide = encoded(noise(0.1, channels=3))
    assert_problem(client.post("/predict?format=mp3", data=wide, content_type="audio/wav"), 422, "unacceptable-format")


@pytest.mark.parametrize("way", ["length", "chunked", "form text"])
def test_limits(make_client: Make, way: str):
    client = make_client(max_body_bytes=2000, max_seconds=1.0)
    environment = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"} if way == "chunked" else {}
    body, content_type = (GOOD, "audio/wav") if way != "form text" else (form(b"x" * 3000, filename=None), FORM_TYPE)
    answer = client.post("/predict", data=body, content_type=content_type, environ_overrides=environment)
    assert_problem(answer, 413, "body-too-large", "2000 bytes")
    assert answer.get_json()["limit_bytes"] == 2000


def test_audio_over_the_limit(make_client: Make):
    client = make_client(max_seconds=0.1)
    assert_problem(client.post("/predict", data=GOOD, content_type="audio/wav"), 413, "audio-too-long", "0.1 seconds")


@pytest.mark.parametrize("terminated", [False, True], ids=["plain server", "gunicorn"])
def test_a_body_that_ends_early(client: FlaskClient, terminated: bool):
    environment = {"CONTENT_LENGTH": "5000", **({"wsgi.input_terminated": True} if terminated else {})}
    answer = client.post("/predict", data=GOOD[:1000], content_type="audio/wav", environ_overrides=environment)
    assert_problem(answer, 400, "malformed-body", "1000 of 5000" if terminated else "ended early")


def test_no_slot(make_client: Make):
    """The only slot is held by the test."""
    client = make_client(slots=1, queue_length=0, queue_timeout_s=3)
    admission = client.application.extensions["admission"]
    with admission.slot():
        answer = client.post("/predict", data=GOOD, content_type="audio/wav")
        assert_problem(answer, 503, "overloaded", "busy")
        assert answer.headers["Retry-After"] == "3"
        assert client.get("/readyz").status_code == 200
    assert client.post("/predict", data=GOOD, content_type="audio/wav", buffered=True).status_code == 200


def test_not_ready(make_client: Make, tmp_path: Path):
    (tmp_path / "drain").touch()
    assert_problem(make_client(drain_file=tmp_path / "drain").get("/readyz"), 503, "not-ready", "drained")


@pytest.fixture
def worker() -> Iterator[ProblemWorker]:
    config = Config()
    worker = ProblemWorker(1, 0, [], None, 30, config, Logger(config))
    yield worker
    worker.tmp.close()


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (InvalidRequestLine("GARBAGE"), 400, "GARBAGE"),
        (LimitRequestLine(9000, 4094), 414, "4094"),
        (ConfigurationProblem("a path of ours"), 500, "Internal Server Error"),
        (RuntimeError("a secret"), 500, "Internal Server Error"),
    ],
)
def test_what_gunicorn_refuses(worker: ProblemWorker, error: Exception, status: int, detail: str):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker.handle_error(None, ours, ("127.0.0.1", 1), error)
        head, _, body = theirs.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Type: application/problem+json" in head
    assert f"Content-Length: {len(body)}".encode() in head
    assert detail in body.decode()
    assert "secret" not in body.decode()


def test_a_client_that_has_left_is_no_error(worker: ProblemWorker):
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        worker.handle_error(None, ours, ("127.0.0.1", 1), InvalidRequestLine("x"))
