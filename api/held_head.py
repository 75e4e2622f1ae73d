"""A socket that sends the head of an answer together with the first piece of its body."""

import socket
from typing import Any, BinaryIO


class HeldHead:
    """Stands in for the client's socket while one request is served: what is sent first waits for what is sent next.

    gunicorn sends head and body apart. A worker that is killed in between leaves nginx with a head that it has passed
    on already, so the request cannot be tried again and the client gets half an answer. On a busy machine that is no
    rare moment: sending the head wakes nginx up, which takes the worker's place on the core. Sent together, a small
    answer arrives whole or not at all. Everything else is the socket's own.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = b""
        self._begun = False

    def sendall(self, data: bytes) -> None:
        """Keeps the first data, sends it in front of the next."""
        if not self._begun:
            self._begun, self._held = True, data
            return
        held, self._held = self._held, b""
        self._sock.sendall(held + data if held else data)

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> int:
        """Sends what is kept, then the file from within the kernel."""
        self.flush()
        return self._sock.sendfile(file, offset, count)

    def flush(self) -> None:
        """Sends what is kept."""
        held, self._held = self._held, b""
        if held:
            self._sock.sendall(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
