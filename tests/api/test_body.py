"""Uploads are read to the byte: from gunicorn's real parser, over a real connection, however the bytes arrive."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser

from api.body import ExactReader, discard_input, read_exactly

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
PIECES = (1, 7, 4096, 65536)  # bytes asked for at a time


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Any]]:
    """The client's end, and the parser at the other one."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    with ours, theirs:
        yield theirs, get_parser(Config(), ours, ("127.0.0.1", 1))


def received(request: Any, piece: int) -> bytes:
    read_exactly(request)
    assert isinstance(request.body.reader, ExactReader)
    return b"".join(iter(lambda: request.body.read(piece), b""))


@pytest.mark.parametrize("piece", PIECES)
def test_requests_behind_each_other_are_told_apart(ends: tuple[socket.socket, Any], piece: int):
    client, parser = ends
    bodies = [bytes([number]) * length for number, length in enumerate((5000, 0, 1, 9000))]
    client.sendall(b"".join(HEAD % len(body) + body for body in bodies))
    assert [received(next(parser), piece) for _ in bodies] == bodies


@pytest.mark.parametrize("piece", PIECES[2:])
def test_a_large_body_arrives_whole_and_what_follows_stays(ends: tuple[socket.socket, Any], piece: int):
    client, parser = ends
    body = bytes(range(256)) * 4000
    sending = threading.Thread(target=client.sendall, args=(2 * (HEAD % len(body) + body),))
    sending.start()
    assert [received(next(parser), piece) == body for _ in range(2)] == [True, True]
    sending.join(10)


def test_a_body_that_breaks_off_ends_early(ends: tuple[socket.socket, Any]):
    client, parser = ends
    client.sendall(HEAD % 1000 + b"a" * 400)
    client.shutdown(socket.SHUT_WR)
    assert received(next(parser), 64) == b"a" * 400


def test_a_body_left_unread_is_dropped_before_the_next_request(ends: tuple[socket.socket, Any]):
    client, parser = ends
    client.sendall(HEAD % 30000 + b"a" * 30000 + HEAD % 2 + b"ok")
    request = next(parser)
    read_exactly(request)
    assert request.body.read(10) == b"a" * 10
    assert parser.finish_body()
    assert received(next(parser), 64) == b"ok"


@pytest.mark.parametrize("sent", [0, 10, 70_000, 3_000_000])  # bytes of the body that come with the headers
@pytest.mark.parametrize("over_tcp", [False, True])
def test_what_is_discarded_ends_where_the_body_does(sent: int, over_tcp: bool):
    with ExitStack() as held:
        client, ours = _tcp_pair(held) if over_tcp else map(held.enter_context, socket.socketpair())
        parser = get_parser(Config(), ours, ("127.0.0.1", 1))
        ours.settimeout(10)
        body = bytes(range(256)) * 12_000
        sending = threading.Thread(target=_send, args=(client, HEAD % len(body) + body[:sent], body[sent:]))
        sending.start()
        request = next(parser)
        read_exactly(request)
        discard_input(request.body, len(body))
        assert request.body.read(10) == b""
        assert received(next(parser), 64) == b"ok"
        sending.join(10)


def _tcp_pair(held: ExitStack) -> tuple[socket.socket, socket.socket]:
    listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = held.enter_context(socket.create_connection(listener.getsockname()))
    return client, held.enter_context(listener.accept()[0])


def _send(client: socket.socket, first: bytes, rest: bytes) -> None:
    client.sendall(first)
    time.sleep(0.05)
    client.sendall(rest + HEAD % 2 + b"ok")


def test_what_is_discarded_may_break_off(ends: tuple[socket.socket, Any]):
    client, parser = ends
    client.sendall(HEAD % 1000 + b"a" * 400)
    client.shutdown(socket.SHUT_WR)
    request = next(parser)
    read_exactly(request)
    discard_input(request.body, 1000)
    assert request.body.read(10) == b""


def test_no_more_is_received_than_was_asked_for(ends: tuple[socket.socket, Any]):
    client, parser = ends
    client.sendall(HEAD % 50000)
    request = next(parser)
    read_exactly(request)
    client.sendall(b"a" * 50000)
    assert len(request.body.read(2000)) == 2000
    assert not parser.unreader.take_buffered()
