"""A small HTTP server in place of the application, for what a healthy application never does."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUSY = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "all slots busy", "extra": [1]}
LARGE = {"rows": ["a line that compresses well"] * 200}


class Handler(BaseHTTPRequestHandler):
    """Answers by path; see `Upstream.hits` for what arrived."""

    protocol_version = "HTTP/1.1"
    server: "Upstream"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.server.hits.append(path)
        if path == "/busy":
            self.answer(503, "application/problem+json", json.dumps(BUSY).encode(), {"Retry-After": "7"})
        elif path == "/missing":
            self.answer(404, "application/problem+json", b'{"title": "mine"}')
        elif path == "/slow":
            time.sleep(3)
        elif path == "/dies" or body == b"die" or (path == "/dies-once" and self.server.hits.count(path) == 1):
            self.connection.shutdown(socket.SHUT_RDWR)
        elif path == "/json":
            self.answer(200, "application/json", json.dumps(LARGE).encode())
        elif path == "/audio":
            self.answer(200, "audio/wav", bytes(100_000))
        else:
            self.answer(200, "application/json", self.echo(body))

    do_POST = do_GET  # noqa: N815 (the base class looks for this name)

    def echo(self, body: bytes) -> bytes:
        """What the application would see of the request."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return json.dumps({"path": self.path, "headers": headers, "length": len(body)}).encode()

    def answer(self, status: int, kind: str, body: bytes, extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Request-Id": "from-the-application"}
        for name, value in (headers | (extra or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing; tests look at `hits`."""


class Upstream(ThreadingHTTPServer):
    """Listens on a free port of the loopback; `hits` are the paths asked for, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hits: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


@contextlib.contextmanager
def upstream() -> Iterator[Upstream]:
    """Serves in a thread until the block ends."""
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
