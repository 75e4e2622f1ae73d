"""A whole service of jobs for tests: gunicorn, consumers and Redis as real processes, ended whatever happens."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from tests.servers import ROOT, environment, start_gunicorn, wait_for

WAV = {"Content-Type": "audio/wav"}

LEASE_SECONDS = 2


@dataclass
class Consumer:
    """A running consumer."""

    process: "subprocess.Popen[bytes]"
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)


@dataclass
class Service:
    """A gunicorn that takes jobs; consumers are started when a test wants them."""

    url: str
    folder: Path
    variables: dict[str, str]
    consumers: list[Consumer] = field(default_factory=list)

    def post(self, recording: bytes, query: str = "", **headers: str) -> requests.Response:
        return requests.post(f"{self.url}/jobs{query}", data=recording, headers={**WAV, **headers}, timeout=60)

    def submit(self, recording: bytes, query: str = "") -> str:
        """Path of a new job."""
        answer = self.post(recording, query)
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"]

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(self.url + path, headers=headers, timeout=30)

    def job(self, path: str) -> dict[str, Any]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait(self, path: str, state: str, seconds: float = 60) -> dict[str, Any]:
        """The job once it is in that state."""

        def reached() -> dict[str, Any] | None:
            job = self.job(path)
            assert job["state"] == state or job["state"] in ("queued", "running"), job
            return job if job["state"] == state else None

        return wait_for(reached, seconds, f"job {state}")

    def start_consumer(self) -> Consumer:
        """A consumer that has loaded its models."""
        log_file = self.folder / f"consumer-{time.monotonic_ns()}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "api.jobs.consumer"],
                cwd=ROOT,
                env=environment(OMP_NUM_THREADS="1", **self.variables),
                stdout=log,
                stderr=log,
            )
        consumer = Consumer(process, log_file)
        self.consumers.append(consumer)
        wait_for(lambda: "is ready" in consumer.log or process.poll() is not None, 120, "start of the consumer")
        assert process.poll() is None, consumer.log
        return consumer

    def stop(self) -> None:
        for consumer in self.consumers:
            if consumer.process.poll() is None:
                consumer.process.terminate()
        for consumer in self.consumers:
            try:
                consumer.process.wait(20)
            except subprocess.TimeoutExpired:
                consumer.kill()


@contextmanager
def service(folder: Path, **variables: str) -> Iterator[Service]:
    """A service whose jobs live in `folder`; further HUSH_* `variables`."""
    chosen = {"HUSH_JOBS_DIR": str(folder / "jobs"), "HUSH_JOBS_LEASE_S": str(LEASE_SECONDS), **variables}
    with start_gunicorn(folder, HUSH_WORKERS="1", **chosen) as server:
        running = Service(server.url, folder, chosen)
        try:
            yield running
        finally:
            running.stop()


def _answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url).ping())
    except redis.ConnectionError:
        return False


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A real Redis on a unix socket in `folder`; its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("the program redis-server is not installed (Debian: apt-get install redis-server)")
    socket = Path(f"/tmp/hush-redis-{os.getpid()}-{time.monotonic_ns()}.sock")  # its path may have 107 bytes
    command = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"unix://{socket}"
        wait_for(lambda: _answers(url), 30, "start of redis-server")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        socket.unlink(missing_ok=True)
