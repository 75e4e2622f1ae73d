"""Starts the real nginx with a rendered configuration on free ports of the loopback."""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nginx.render import Gateway, write
from nginx.stack import find_nginx, nginx_command
from tests.servers import wait_for

NGINX = find_nginx()
MISSING = "the program nginx is not installed (Debian: apt-get install nginx-light)"


@dataclass(frozen=True)
class Running:
    """A gateway that accepts connections, and where to look at what it did."""

    url: str
    port: int
    folder: Path
    pid: int  # of the master

    def log(self, request_id: str) -> list[dict[str, Any]]:
        """Lines of the access log with this request id; waits for them, as nginx logs after it has answered."""

        def lines() -> list[dict[str, Any]]:
            entries = [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]
            return [entry for entry in entries if entry["request_id"] == request_id]

        return wait_for(lines, 5, f"a log line of request {request_id}")


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def gateway(folder: Path, upstream: str, *, rate: int = 0, workers: str = "1", **options: Any) -> Iterator[Running]:
    """nginx in front of `upstream`, not limited unless `rate` is given; ends with a graceful stop."""
    port = free_port()
    if os.geteuid() == 0:
        options.setdefault("user", "root")  # the folders of a test run are closed to nginx's built-in user
    chosen = Gateway(listen=f"127.0.0.1:{port}", upstream=upstream, rate=rate, workers=workers, **options)
    write(chosen, folder)
    process = subprocess.Popen(nginx_command(str(NGINX), folder), stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: process.poll() is not None or accepts(port), 10, "listening of nginx")
        assert process.poll() is None, process.communicate()[1]
        yield Running(f"http{'s' if chosen.tls_certificate else ''}://127.0.0.1:{port}", port, folder, process.pid)
    finally:
        process.send_signal(signal.SIGQUIT)
        _, complaints = process.communicate(timeout=20)
    assert process.returncode == 0, complaints
