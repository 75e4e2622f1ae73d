"""Asks for a health page again and again while something else happens, from a process of its own."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

PAUSE = 0.05  # seconds


@contextmanager
def health_watched(port: int, path: str = "/healthz") -> Iterator[list[float]]:
    """The list fills with the milliseconds that each answer took, once the block has ended."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_watch, args=(port, path, theirs), daemon=True)
    process.start()
    found: list[float] = []
    assert ours.recv() == "ready"
    try:
        yield found
    finally:
        ours.send("stop")
        if ours.poll(30):
            found.extend(ours.recv())
        process.join(5)


def _watch(port: int, path: str, parent: Connection) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode()
    taken: list[float] = []
    parent.send("ready")
    while not parent.poll(PAUSE):
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            while connection.recv(4096):
                pass
        taken.append(1000 * (time.monotonic() - start))
    parent.send(taken)
