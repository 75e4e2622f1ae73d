"""`stream=true` through the real server: the same audio, sooner; errors that can be seen; nobody kept waiting."""

import http.client
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
import requests

from tests.api.recordings import decoded, encoded, noise
from tests.servers import Server, start_gunicorn, wait_for

AUDIO = {"Content-Type": "audio/wav"}
HOUR = encoded(np.tile(noise(60.0), (60, 1)))
SHORT = encoded(noise(0.1))


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One slot, one place in the queue, two long ones at a time."""
    folder = tmp_path_factory.mktemp("narrow")
    with start_gunicorn(
        folder, HUSH_SLOTS="1", HUSH_QUEUE_LENGTH="1", HUSH_LONG_REQUESTS="2", HUSH_STALL_TIMEOUT_S="3"
    ) as server:
        yield server


def post(url: str, audio: bytes, query: str = "", **more: object) -> requests.Response:
    return requests.post(f"{url}/predict?{query}", data=audio, headers=AUDIO, timeout=60, **more)  # type: ignore[arg-type]


def spoiled(seconds: float) -> bytes:
    """Twice that long; in the middle stands a sample that is no number."""
    samples = noise(2 * seconds)
    samples[round(seconds * 16000)] = np.nan
    return encoded(samples, subtype="FLOAT")


@pytest.mark.parametrize("format", ["wav", "flac", "ogg"])
def test_the_audio_is_the_same_as_without(server: str, format: str):
    audio = encoded(noise(25.0, 44100, 2), 44100)
    whole = post(server, audio, f"format={format}")
    streamed = post(server, audio, f"format={format}&stream=true")
    assert (whole.status_code, streamed.status_code) == (200, 200)
    assert "Content-Length" not in streamed.headers
    assert streamed.headers["Transfer-Encoding"] == "chunked"
    assert streamed.headers["X-Accel-Buffering"] == "no"
    for name in ("Content-Type", "Content-Disposition", "X-Model", "X-Model-Version", "Vary"):
        assert streamed.headers[name] == whole.headers[name]
    ours, rate = decoded(streamed.content)
    expected, expected_rate = decoded(whole.content)
    assert (rate, ours.shape) == (expected_rate, expected.shape)
    np.testing.assert_array_equal(ours, expected)
    if format == "wav":
        assert streamed.content == whole.content


def test_a_length_that_nobody_knows_is_marked_so(server: str):
    """The header of an Ogg file does not say how long it is, and so does the answer's not."""
    answer = post(server, encoded(noise(12.0), container="OGG"), "stream=true")
    assert answer.content[40:44] == b"\xff\xff\xff\xff"
    assert len(answer.content) == 44 + 2 * 12 * 16000


def test_without_stream_there_is_a_length(server: str):
    answer = post(server, SHORT, "stream=false")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert "Transfer-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("query", "audio", "status", "kind"),
    [
        ("stream=true&format=mp3", SHORT, 422, "unacceptable-format"),
        ("stream=yes", SHORT, 400, "invalid-query"),
        ("stream=true", SHORT[:-100], 400, "truncated-audio"),
        ("stream=true", spoiled(0.5), 400, "non-finite-audio"),
        ("stream=true", encoded(noise(0.01)), 422, "audio-too-short"),
    ],
)
def test_errors_before_the_first_byte_are_answered_as_always(
    server: str, query: str, audio: bytes, status: int, kind: str
):
    answer = post(server, audio, query)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["type"] == f"urn:hush:problem:{kind}"


def test_an_error_in_the_middle_breaks_the_connection_off(gunicorn: Server):
    log = len(gunicorn.log)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post(gunicorn.url, spoiled(25.0), "stream=true")
    said = gunicorn.log[log:]
    assert "a streamed answer breaks off" in said
    assert "The audio holds a value that is no finite number" in said
    assert "Traceback" not in said
    assert post(gunicorn.url, SHORT).status_code == 200


def test_a_client_without_chunks_gets_a_length(gunicorn: Server):
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=20) as connection:
        head = f"POST /predict?stream=true HTTP/1.0\r\nContent-Type: audio/wav\r\nContent-Length: {len(SHORT)}\r\n\r\n"
        connection.sendall(head.encode() + SHORT)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.length == len(answer.read()) > 0


def test_the_first_byte_of_an_hour_comes_within_a_second(gunicorn: Server):
    connection = http.client.HTTPConnection("127.0.0.1", gunicorn.port, timeout=60)
    connection.request("POST", "/predict?stream=true&model=dae", HOUR, AUDIO)
    sent = time.monotonic()
    answer = connection.getresponse()
    assert len(answer.read(1000)) == 1000
    assert time.monotonic() - sent < 1.0
    connection.close()


def test_a_client_that_does_not_read_keeps_no_slot_and_is_let_go(narrow: Server):
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=20) as lazy:
        head = f"POST /predict?stream=true HTTP/1.1\r\nHost: x\r\nContent-Length: {len(HOUR)}\r\n\r\n"
        lazy.sendall(head.encode() + HOUR)
        assert lazy.recv(12) == b"HTTP/1.1 200"
        time.sleep(0.5)  # the buffers of the system are full, and the server waits for this client
        assert [post(narrow.url, SHORT).status_code for _ in range(5)] == [200] * 5
        wait_for(lambda: not is_served(narrow, lazy), 60, "the end of the lazy client's connection")
        assert not received(lazy).endswith(b"\r\n0\r\n\r\n")


def is_served(server: Server, client: socket.socket) -> bool:
    """Whether a worker still has the connection open."""
    port = client.getsockname()[1]
    return any(
        held.raddr and held.raddr.port == port for worker in server.workers() for held in worker.net_connections()
    )


def received(client: socket.socket) -> bytes:
    """All that is there to be read, up to the end or the reset of the connection."""
    data = bytearray()
    with suppress(ConnectionResetError):
        while piece := client.recv(1 << 20):
            data += piece
    return bytes(data)


def test_short_requests_pass_a_streamed_hour(narrow: Server):
    with post(narrow.url, HOUR, "stream=true&model=dae", stream=True) as hour:
        pieces = hour.iter_content(1 << 16)
        next(pieces)
        statuses, delays = [], []
        for _ in range(5):
            next(pieces)
            answer = post(narrow.url, SHORT)
            statuses.append(answer.status_code)
            delays.append(answer.elapsed.total_seconds())
    assert statuses == [200] * 5
    assert max(delays) < 1.0


def test_short_requests_pass_a_long_one_that_is_not_streamed(narrow: Server):
    with ThreadPoolExecutor(1) as clients:
        long = clients.submit(post, narrow.url, encoded(noise(480.0, 8000), 8000), "model=lsa")
        time.sleep(0.5)  # it computes by now, and has some seconds to go
        answers = [post(narrow.url, SHORT) for _ in range(5)]
        assert not long.done()
        assert [answer.status_code for answer in answers] == [200] * 5
        assert max(answer.elapsed.total_seconds() for answer in answers) < 1.0
        whole = long.result()
    assert (whole.status_code, len(whole.content)) == (200, 44 + 2 * 480 * 8000)


def test_streams_are_bounded_in_number(narrow: Server):
    streams = [post(narrow.url, HOUR, "stream=true", stream=True) for _ in range(2)]
    try:
        assert [stream.status_code for stream in streams] == [200, 200]
        wait_for(lambda: post(narrow.url, SHORT).status_code == 200, 10, "both streams waiting for their clients")
        refused = post(narrow.url, SHORT, "stream=true")
        assert refused.status_code == 503
        assert "2 long recordings" in refused.json()["detail"]
        assert int(refused.headers["Retry-After"]) >= 1
    finally:
        for stream in streams:
            stream.close()
    wait_for(lambda: post(narrow.url, SHORT, "stream=true").status_code == 200, 10, "a free pass")
