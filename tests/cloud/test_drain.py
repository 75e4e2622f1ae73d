"""hush-drain against a real HTTP server in the place of nginx."""

import http.server
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.programs import ROOT, program

SCRIPT = ROOT / "packer" / "files" / "hush-drain"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of hush-drain, with a server whose /readyz looks at the drain file as the service does."""
    program("curl", "curl")
    file = tmp_path / "drain"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if file.exists() or not (tmp_path / "up").exists() else 200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    (tmp_path / "up").touch()
    url = f"http://127.0.0.1:{server.server_port}/readyz"
    yield {**os.environ, "DRAIN_FILE": str(file), "READY_URL": url, "DRAIN_SECONDS": "1", "READY_SECONDS": "2"}
    server.shutdown()
    thread.join()
    server.server_close()


def drain(place: dict[str, str], word: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([SCRIPT, word], env=place, capture_output=True, text=True, timeout=30, check=False)


def test_out_of_service_and_back(place: dict[str, str]) -> None:
    assert drain(place, "end").returncode == 0
    assert drain(place, "status").returncode == 0
    began = time.monotonic()
    assert drain(place, "begin").returncode == 0
    assert time.monotonic() - began >= 1  # the balancer has had its time
    status = drain(place, "status")
    assert (status.returncode, status.stdout) == (1, "draining\n")
    assert drain(place, "end").returncode == 0
    assert drain(place, "status").stdout == "in service\n"


def test_what_is_never_ready_fails(place: dict[str, str]) -> None:
    (Path(place["DRAIN_FILE"]).parent / "up").unlink()
    done = drain(place, "end")
    assert done.returncode == 1
    assert "not ready after 2 s" in done.stderr
    assert drain(place, "status").stdout == "not ready\n"


def test_it_says_how_it_is_used(place: dict[str, str]) -> None:
    done = drain(place, "wait")
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
