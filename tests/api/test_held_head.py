"""Head and body of a small answer leave in one piece, whatever is killed in between."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.held_head import HeldHead
from tests.api.recordings import encoded, noise
from tests.servers import Server


@pytest.fixture
def pair() -> Iterator[tuple[HeldHead, socket.socket]]:
    """The held socket, and the other end, which sees each packet for itself."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.settimeout(5)
    with ours, theirs:
        yield HeldHead(ours), theirs


def test_head_and_first_piece_go_together(pair: tuple[HeldHead, socket.socket]):
    held, other = pair
    other.setblocking(False)
    held.sendall(b"head ")
    with pytest.raises(BlockingIOError):
        other.recv(100)
    held.sendall(b"body")
    assert other.recv(100) == b"head body"
    held.sendall(b"more")
    assert other.recv(100) == b"more"
    held.flush()
    with pytest.raises(BlockingIOError):
        other.recv(100)


def test_a_head_alone_is_sent_in_the_end(pair: tuple[HeldHead, socket.socket]):
    held, other = pair
    held.sendall(b"head")
    held.flush()
    assert other.recv(100) == b"head"


def test_a_file_follows_the_head(tmp_path: Path):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        held = HeldHead(ours)
        (tmp_path / "file").write_bytes(b"0123456789")
        with (tmp_path / "file").open("rb") as file:
            held.sendall(b"head ")
            assert held.sendfile(file, 2, 5) == 5
        assert theirs.recv(100) == b"head 23456"
        assert held.fileno() == ours.fileno()


def test_a_small_answer_arrives_in_one_piece(gunicorn: Server):
    """Over TCP one send is one segment on the loopback, as long as it fits: the first read has head and body."""
    recording = encoded(noise(0.5))
    head = f"POST /predict?model=lsa HTTP/1.1\r\nHost: x\r\nContent-Length: {len(recording)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=60) as client:
        client.sendall(head + recording)
        first = client.recv(1 << 20)
    assert b"\r\n\r\nRIFF" in first


@pytest.mark.parametrize("method", ["HEAD", "GET", "OPTIONS"])
def test_answers_without_or_with_body_on_one_connection(gunicorn: Server, method: str):
    connection = http.client.HTTPConnection("127.0.0.1", gunicorn.port, timeout=60)
    for _ in range(3):
        connection.request(method, "/")
        answer = connection.getresponse()
        assert answer.status == 200
        assert len(answer.read()) == (int(answer.headers["Content-Length"]) if method == "GET" else 0)
    etag = answer.headers.get("ETag", '"none"')
    connection.request("GET", "/", headers={"If-None-Match": etag})
    assert connection.getresponse().status in (200, 304)
    connection.close()


def test_the_go_ahead_is_not_held(gunicorn: Server):
    """A client that asks with `Expect: 100-continue` sends its body only after the interim answer."""
    recording = encoded(noise(0.5))
    head = "POST /predict?model=lsa HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=60) as client:
        client.sendall(f"{head}Content-Length: {len(recording)}\r\n\r\n".encode())
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(recording)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
