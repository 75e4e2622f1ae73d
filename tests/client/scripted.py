"""A real HTTP server on the loopback that answers one request after the other as a test says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODELS = b'{"available_models": [{"key": "dae", "labels": ["production"]}]}'


@dataclass(frozen=True)
class Says:
    """One answer; `cut` bytes of the body are announced and not sent."""

    status: int = 200
    body: bytes = b"RIFF"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "audio/wav"})
    cut: int = 0


@dataclass
class Scripted:
    """The server: what it will answer on each path (the last answer for ever), and what it was asked."""

    url: str
    script: dict[tuple[str, str], list[Says]]
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    guard: Any = field(default_factory=threading.Lock)

    def next(self, method: str, path: str) -> Says:
        """The next answer."""
        with self.guard:
            answers = self.script.get((method, path), [Says(404, b"{}", {"Content-Type": "application/json"})])
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def paths(self) -> list[tuple[str, str]]:
        """Methods and paths, in order."""
        return [(method, path.partition("?")[0]) for method, path, _, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def _answer(self) -> None:
        scripted: Scripted = self.server.scripted
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        scripted.asked.append((self.command, self.path, dict(self.headers), body))
        says = scripted.next(self.command, self.path.partition("?")[0])
        self.send_response(says.status)
        for name, value in says.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(says.body) + says.cut))
        self.end_headers()
        self.wfile.write(says.body)
        if says.cut:
            self.close_connection = True

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@contextmanager
def scripted(script: dict[tuple[str, str], list[Says]]) -> Iterator[Scripted]:
    """The server; it ends with the block."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.scripted = Scripted(f"http://127.0.0.1:{server.server_address[1]}", script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
