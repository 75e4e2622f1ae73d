"""Every row of the table of bad input in docs/api.md, through the real server."""

import json
import socket
import struct
from collections.abc import Iterator

import pytest
import requests

from tests.api.bad_input import AUDIO_ROWS, BROKEN_FORMS, GOOD, NO_FILE, QUERIES
from tests.api.recordings import FORM_TYPE, encoded, form, noise
from tests.servers import Server, start_gunicorn

LIMIT = 65536  # bytes, of the small server


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits."""
    folder = tmp_path_factory.mktemp("small")
    with start_gunicorn(
        folder,
        HUSH_WORKERS="1",
        HUSH_MAX_BODY_BYTES=str(LIMIT),
        HUSH_MAX_SECONDS="1",
        HUSH_MIX_MAX_SECONDS="0.5",
        HUSH_MAX_CHANNELS="2",
        HUSH_STALL_TIMEOUT_S="1",
    ) as server:
        yield server


def assert_problem(answer: requests.Response, status: int, *words: str) -> dict[str, object]:
    """The one form of every error; `words` occur in its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["instance"] == answer.request.path_url.split("?")[0]
    assert problem["title"]
    assert problem["type"] == "about:blank" or problem["type"].startswith("urn:hush:problem:")
    for word in words:
        assert word in problem["detail"]
    return dict(problem)


@pytest.mark.parametrize("row", AUDIO_ROWS)
@pytest.mark.parametrize("path", ["/predict", "/mix-noise?noise_type=white"])
def test_bad_audio_in_a_form(server: str, path: str, row: str):
    content, status, kind, words = AUDIO_ROWS[row]
    answer = requests.post(server + path, files={"audio_file": ("a.wav", content)}, timeout=30)
    assert assert_problem(answer, status, *words)["type"] == f"urn:hush:problem:{kind}"


@pytest.mark.parametrize("row", [row for row in AUDIO_ROWS if AUDIO_ROWS[row][0]])  # no bytes are no body: NO_FILE
def test_bad_audio_as_the_body(server: str, row: str):
    content, status, kind, words = AUDIO_ROWS[row]
    answer = requests.post(f"{server}/predict", data=content, headers={"Content-Type": "audio/wav"}, timeout=30)
    assert assert_problem(answer, status, *words)["type"] == f"urn:hush:problem:{kind}"


def test_evidence_comes_with_the_sentence(server: str):
    answer = requests.post(f"{server}/predict", files={"audio_file": GOOD[:-2000]}, timeout=30)
    problem = assert_problem(answer, 400)
    assert (problem["promised"], problem["found"], problem["unit"]) == (6400, 4400, "bytes of samples")


@pytest.mark.parametrize("row", NO_FILE)
def test_no_file(server: str, row: str):
    body, headers, words = NO_FILE[row]
    answer = requests.post(f"{server}/predict", data=body, headers=headers, timeout=30)
    assert assert_problem(answer, 400, words)["type"] == "urn:hush:problem:no-audio-file"


@pytest.mark.parametrize("row", BROKEN_FORMS)
def test_broken_form(server: str, row: str):
    body, content_type = BROKEN_FORMS[row]
    headers = {"Content-Type": content_type.encode("latin-1")}
    answer = requests.post(f"{server}/predict", data=body, headers=headers, timeout=30)
    assert assert_problem(answer, 400)["type"] in ("urn:hush:problem:malformed-body", "urn:hush:problem:no-audio-file")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_type_that_is_no_audio(server: str, content_type: str):
    answer = requests.post(f"{server}/predict", data=GOOD, headers={"Content-Type": content_type}, timeout=30)
    problem = assert_problem(answer, 415, content_type, "WAV", "FLAC", "MP3")
    assert problem["readable"] == ["WAV", "FLAC", "Ogg Vorbis", "Ogg Opus", "MP3"]


@pytest.mark.parametrize("path", QUERIES)
def test_bad_query(server: str, path: str):
    answer = requests.post(server + path, files={"audio_file": GOOD}, timeout=30)
    problem = assert_problem(answer, 400, QUERIES[path])
    assert list(problem["parameters"]) == [QUERIES[path]]  # type: ignore[call-overload]


def test_unknown_names(server: str):
    missing = requests.post(f"{server}/predict?model=nope", files={"audio_file": GOOD}, timeout=30)
    assert "lsa" in assert_problem(missing, 404, "nope")["known"]  # type: ignore[operator]
    assert_problem(requests.get(f"{server}/models/nope", timeout=30), 404, "nope")
    noise_type = requests.post(f"{server}/mix-noise?noise_type=x", files={"audio_file": GOOD}, timeout=30)
    assert "pink" in assert_problem(noise_type, 400, "'x'")["known"]  # type: ignore[operator]
    assert_problem(requests.get(f"{server}/nowhere", timeout=30), 404)
    assert_problem(requests.get(f"{server}/models/", timeout=30), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("POST", "/models", "GET"), ("DELETE", "/readyz", "GET")],
)
def test_wrong_method(server: str, method: str, path: str, allowed: str):
    answer = requests.request(method, server + path, timeout=30)
    assert_problem(answer, 405)
    assert allowed in answer.headers["Allow"].split(", ")


def test_unacceptable(server: str):
    headers = {"Accept": "audio/aac, text/html"}
    offered = assert_problem(
        requests.post(f"{server}/predict", files={"audio_file": GOOD}, headers=headers, timeout=30), 406
    )
    assert {"audio/wav", "audio/flac"} <= set(offered["offered"])  # type: ignore[call-overload]
    assert_problem(requests.get(f"{server}/models", headers=headers, timeout=30), 406, "application/json")


def test_a_format_that_cannot_hold_the_audio(server: str):
    files = {"audio_file": encoded(noise(0.1, channels=3))}
    answer = requests.post(f"{server}/predict?format=mp3", files=files, timeout=30)
    assert_problem(answer, 422, "mp3", "3 channels")


@pytest.mark.parametrize("way", ["form", "body", "chunked"])
@pytest.mark.parametrize("size", [LIMIT + 1, 20 * 2**20])
def test_body_over_the_limit(small: Server, way: str, size: int):
    content = bytes(size)
    if way == "form":
        answer = requests.post(f"{small.url}/predict", files={"audio_file": content}, timeout=30)
    else:
        data = content if way == "body" else iter([content[:1000], content[1000:]])
        answer = requests.post(f"{small.url}/predict", data=data, headers={"Content-Type": "audio/wav"}, timeout=30)
    problem = assert_problem(answer, 413, str(LIMIT))
    assert problem["limit_bytes"] == LIMIT


def test_body_over_the_limit_is_refused_before_it_is_sent(small: Server):
    head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\nContent-Length: 99999999999\r\n\r\n"
    assert raw_status(small, head.encode()) == (413, "application/problem+json")


@pytest.mark.parametrize(
    ("path", "status"), [("/predict?model=nope", 404), ("/predict?x=1", 400), ("/nowhere", 404), ("/models", 405)]
)
def test_an_early_answer_arrives_although_the_body_is_not_read(server: str, path: str, status: int):
    answer = requests.post(server + path, data=bytes(20 * 2**20), headers={"Content-Type": "audio/wav"}, timeout=30)
    assert_problem(answer, status)


def test_a_form_with_too_much_text(server: str):
    answer = requests.post(
        f"{server}/predict", data=form(b"x" * 600_000, filename=None), headers={"Content-Type": FORM_TYPE}, timeout=30
    )
    assert_problem(answer, 413, "bytes of text")


@pytest.mark.parametrize("header", ["honest", "lying", "none"])
def test_audio_over_the_limit(small: Server, header: str):
    audio = bytearray(encoded(noise(1.1)))
    content_type = "audio/wav"
    if header == "lying":  # promises less than there is in its RIFF sizes
        struct.pack_into("<I", audio, 40, 0xFFFFFFFF)
    if header == "none":
        audio, content_type = bytearray(encoded(noise(1.2), container="OGG", subtype="VORBIS")), "audio/ogg"
    answer = requests.post(
        f"{small.url}/predict", data=bytes(audio), headers={"Content-Type": content_type}, timeout=30
    )
    assert assert_problem(answer, 413, "1 seconds")["seconds_limit"] == 1.0


def test_limits_of_their_own(small: Server):
    longer = requests.post(
        f"{small.url}/mix-noise?noise_type=white", files={"audio_file": encoded(noise(0.6))}, timeout=30
    )
    assert_problem(longer, 413, "0.5 seconds")
    wider = requests.post(f"{small.url}/predict", files={"audio_file": encoded(noise(0.1, channels=3))}, timeout=30)
    assert_problem(wider, 400, "channels", "3")


def raw_status(server: Server, sent: bytes, *, end: bool = False) -> tuple[int, str]:
    """Status and content type of the answer to raw bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(sent)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read() if end else _until_body_ends(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    content_type = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-type:"))
    status = int(head.split()[1])
    assert json.loads(body)["status"] == status
    return status, content_type.split(b":")[1].strip().decode()


def _until_body_ends(connection: socket.socket) -> bytes:
    received = b""
    while b"}" not in received:
        received += (chunk := connection.recv(65536))
        assert chunk, received
    return received


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
WIRE = {
    "a body that ends early": (HEAD + b"Content-Length: 1000\r\n\r\nRIFF", True, 400),
    "a chunk size that is no number": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nRIFF\r\n0\r\n\r\n", False, 400),
    "a chunk that ends early": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nFF\r\nRIFF", True, 400),
    "a broken trailer": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nRIFF\r\n0\r\nbad\nline\r\n\r\n", False, 400),
    "no HTTP": (b"hello\r\n\r\n", False, 400),
    "a long line": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", False, 414),
    "a long header": (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", False, 431),
    "an unknown transfer coding": (HEAD + b"Transfer-Encoding: rot13\r\n\r\n", False, 501),
    "a body with two lengths": (HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nRIFFx", False, 400),
}


@pytest.mark.parametrize("row", WIRE)
def test_broken_http(gunicorn: Server, row: str):
    sent, end, status = WIRE[row]
    assert raw_status(gunicorn, sent, end=end) == (status, "application/problem+json")


def test_a_client_that_stalls_is_let_go(small: Server):
    assert raw_status(small, HEAD + b"Content-Length: 1000\r\n\r\nRIFF") == (400, "application/problem+json")


def test_the_server_tells_no_version(gunicorn: Server):
    for path in ("/healthz", "/nowhere"):
        assert requests.get(gunicorn.url + path, timeout=30).headers["Server"] == "gunicorn"


def test_nothing_was_logged_as_a_failure(gunicorn: Server, small: Server):
    """Runs last in this file: client errors are not errors of the service."""
    for server in (gunicorn, small):
        assert "Traceback" not in server.log
        assert "failed" not in server.log
