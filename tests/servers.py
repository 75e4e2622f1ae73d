"""Real servers for tests: gunicorn with the project's own configuration, on a free port, ended whatever happens."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import requests

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0  # importing torch on a busy machine
STOP_SECONDS = 15.0

Found = TypeVar("Found")


@dataclass(frozen=True)
class Server:
    """A running gunicorn."""

    url: str  # http://127.0.0.1:PORT, without a slash at the end; empty on a unix socket
    process: "subprocess.Popen[bytes]"
    log_file: Path
    drain_file: Path  # HUSH_DRAIN_FILE; it does not exist

    @property
    def log(self) -> str:
        """Everything the server has written so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def workers(self) -> list[psutil.Process]:
        """The worker processes of now."""
        return psutil.Process(self.process.pid).children()


def wait_for(condition: Callable[[], Found], seconds: float, what: str) -> Found:
    """Polls until `condition` gives something true and returns that; raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found


def environment(**overrides: str) -> dict[str, str]:
    """The environment of a test server: this process's without its HUSH_* variables, and `overrides`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUSH_")}
    return {**inherited, "HUSH_BIND": "127.0.0.1:0", "HUSH_WORKERS": "2", "PYTHONUNBUFFERED": "1", **overrides}


@contextmanager
def start_gunicorn(
    folder: Path, *, app: str = "wsgi:app", settings: str = "gunicorn_conf.py", **overrides: str
) -> Iterator[Server]:
    """gunicorn as `make run` starts it, with `overrides` (HUSH_NAME="value"); its log goes into `folder`.

    Yields once all workers are there and `/readyz` answers 200 (on a unix socket: without asking). Raises
    AssertionError with the log when it does not come up. Ends with the block, and its whole process group with it.
    """
    log_file = folder / f"gunicorn-{time.monotonic_ns()}.log"
    drain_file = log_file.with_suffix(".drain")
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", settings, app],
            cwd=ROOT,
            env=environment(HUSH_DRAIN_FILE=str(drain_file), **overrides),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        server = Server(_address(process, log_file), process, log_file, drain_file)
        workers = int(environment(**overrides)["HUSH_WORKERS"])
        wait_for(lambda: len(server.workers()) == workers, START_SECONDS, f"start of {workers} workers")
        if server.url:
            wait_for(lambda: _is_ready(server), START_SECONDS, f"readiness of the server\n{server.log}\n")
        yield server
    finally:
        _stop(process)


def _address(process: "subprocess.Popen[bytes]", log_file: Path) -> str:
    def listening() -> re.Match[str] | None:
        log = log_file.read_text(encoding="utf-8", errors="replace")
        assert process.poll() is None, f"the server ended with status {process.returncode}:\n{log}"
        return re.search(r"Listening at: (?:(http://[^ ]+)|unix:)", log)

    return wait_for(listening, START_SECONDS, "listening of the server").group(1) or ""


def _is_ready(server: Server) -> bool:
    try:
        return requests.get(f"{server.url}/readyz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and SIGKILL for what is left of the process group; only that group, which was started here."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)
