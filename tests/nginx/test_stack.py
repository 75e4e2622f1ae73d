"""`make stack` for real: it comes up, and Ctrl-C finishes what is under way before it ends both servers."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from nginx.stack import ROOT, find_nginx
from tests.nginx.gateway import accepts, free_port
from tests.servers import environment, wait_for


@contextlib.contextmanager
def stack(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The stack with its output in a file; whatever is left of it at the end of the block is killed."""
    command = [sys.executable, "-m", "nginx.stack", "--folder", str(folder / "nginx"), "--port", str(port)]
    output = folder / "output"
    with output.open("wb") as log:
        chosen = environment(HUSH_JOBS_DIR=str(folder / "jobs"))
        process = subprocess.Popen([*command, "--rate", "0"], cwd=ROOT, env=chosen, stdout=log, stderr=log)
    try:
        yield process, output
    finally:
        family = [*psutil.Process(process.pid).children(recursive=True), process] if process.poll() is None else []
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait(20)


def test_it_serves_and_stops_in_order(need_nginx: None, clips: Path, tmp_path: Path) -> None:
    port = free_port()
    with stack(tmp_path, port) as (process, output):
        wait_for(lambda: "Hush is ready" in output.read_text() or process.poll() is not None, 90, "a ready stack")
        assert process.poll() is None, output.read_text()
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 4  # two masters with at least a worker each

        recording = (clips / "noisy.wav").read_bytes()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            head = (
                f"POST /predict HTTP/1.1\r\nHost: hush\r\nContent-Type: audio/wav\r\nContent-Length: {len(recording)}"
            )
            client.sendall(head.encode() + b"\r\n\r\n" + recording[:1000])
            wait_for(lambda: requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok, 10, "an answer")
            process.send_signal(signal.SIGINT)
            wait_for(lambda: not accepts(port), 20, "closing of the port")
            client.sendall(recording[1000:])
            answer = http.client.HTTPResponse(client)
            answer.begin()
            assert (answer.status, answer.getheader("Content-Type")) == (200, "audio/wav")
            assert len(answer.read()) > 1000
            answer.close()
        assert process.wait(60) == 0, output.read_text()
        assert [member for member in family if member.is_running()] == []


def test_it_ends_when_a_server_does(need_nginx: None, tmp_path: Path) -> None:
    with socket.socket() as busy, stack(tmp_path, listen_on(busy)) as (process, output):
        assert process.wait(90) == 1
        assert "A server has ended" in output.read_text()


def listen_on(taken: socket.socket) -> int:
    """Occupies a free port, so that nginx cannot have it."""
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return int(taken.getsockname()[1])


def test_nginx_is_looked_for_where_debian_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = find_nginx()
    assert found is None or os.access(found, os.X_OK)
    assert (found is not None) == any(Path(place, "nginx").exists() for place in ("/usr/sbin", "/usr/local/sbin"))
