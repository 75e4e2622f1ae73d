"""gunicorn's master is killed: whoever supervises it brings it back, and nobody gets a wrong answer meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from tests.faults.load import load
from tests.faults.report import note
from tests.nginx.gateway import gateway
from tests.servers import ROOT, environment, wait_for

pytestmark = pytest.mark.faults


class Supervisor(threading.Thread):
    """Does what packer/systemd/hush.service says: Restart=always, RestartSec=1, and no orphans (KillMode=mixed)."""

    def __init__(self, bind: str, log: Path) -> None:
        super().__init__()
        self._bind, self._log = bind, log
        self.stopping = threading.Event()
        self.starts: list[subprocess.Popen[bytes]] = []

    def run(self) -> None:
        while not self.stopping.is_set():
            with self._log.open("ab") as log:
                command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn_conf.py"]
                variables = environment(HUSH_BIND=self._bind)
                process = subprocess.Popen(
                    command, cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True
                )
            self.starts.append(process)
            process.wait()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self.stopping.wait(1)


@contextmanager
def supervised(folder: Path, bind: str) -> Iterator[Supervisor]:
    supervisor = Supervisor(bind, folder / "gunicorn.log")
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stopping.set()
        supervisor.starts[-1].terminate()
        supervisor.join(60)


def test_the_master_is_killed(need_nginx: None, tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="hush-") as sockets:
        bind = f"unix:{sockets}/gunicorn.sock"
        with supervised(tmp_path, bind) as supervisor, gateway(tmp_path / "nginx", bind) as front:

            def serves() -> bool:
                return requests.get(f"{front.url}/readyz", timeout=20).status_code == 200

            wait_for(serves, 120, "the first start")
            with load(front.port) as seen:
                wait_for(lambda: len(seen.seconds) > 4, 60, "load")
                supervisor.starts[0].kill()
                began = time.monotonic()
                wait_for(lambda: len(supervisor.starts) == 2, 10, "the restart")
                wait_for(serves, 120, "service after it")
                gap = time.monotonic() - began
                count = len(seen.seconds)
                wait_for(lambda: len(seen.seconds) > count + 4, 60, "answers after it")
    assert seen.failures, "a master that is gone has not been noticed"
    assert all(failure.startswith("502 ") for failure in seen.failures), seen.failures[:3]
    says = f"no service for {gap:.1f} s, most of it importing torch; 502 with Retry-After meanwhile"
    note("master killed, supervisor restarts it", len(seen.seconds), len(seen.failures), seen.worst, None, says)
