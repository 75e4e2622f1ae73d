"""gunicorn and a consumer beside it, in the foreground: `python -m api.jobs.together`, what `make run` starts.

Jobs are kept in `.run/jobs` of the project unless the environment names another place. A consumer that ends is started
again; gunicorn's end is the end. SIGINT and SIGTERM stop gunicorn, which finishes its requests, and the consumer, which
puts its job back into the queue. On servers each is a service of its own (packer/systemd).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
GUNICORN = ("-m", "gunicorn", "-c", "gunicorn_conf.py")
CONSUMER = ("-m", "api.jobs.consumer")
PLACES = ("HUSH_JOBS_DIR", "HUSH_JOBS_BUCKET")
POLL_SECONDS = 0.2
AGAIN_SECONDS = 5.0  # between the starts of a consumer that ends by itself
STOP_SECONDS = 30.0

Process = subprocess.Popen[bytes]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Of both processes: that of this one, with a place for jobs."""
    chosen = dict(given)
    if not any(name in given for name in PLACES):
        chosen["HUSH_JOBS_DIR"] = str(ROOT / ".run" / "jobs")
    return chosen


def start(arguments: tuple[str, ...], **more: str) -> Process:
    """In a session of its own, so that Ctrl-C in the terminal reaches this program alone."""
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env={**environment(os.environ), **more}, start_new_session=True
    )


def start_consumer() -> Process:
    """One thread a library, as gunicorn_conf.py has it for the workers."""
    return start(CONSUMER, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")


class Pair:
    """The two processes, started."""

    def __init__(self) -> None:
        self._stopping = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        self.gunicorn = start(GUNICORN)
        self.consumer = start_consumer()
        self._started = time.monotonic()

    def run(self) -> int:
        """Until gunicorn ends; its exit status."""
        while self.gunicorn.poll() is None:
            self._look_at_consumer()
            time.sleep(POLL_SECONDS)
        self.consumer.terminate()
        try:
            self.consumer.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.consumer.kill()
        return self.gunicorn.returncode

    def _look_at_consumer(self) -> None:
        over = self.consumer.poll() is not None and time.monotonic() - self._started > AGAIN_SECONDS
        if over and not self._stopping:
            self.consumer = start_consumer()
            self._started = time.monotonic()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        self.gunicorn.terminate()
        self.consumer.terminate()


if __name__ == "__main__":
    sys.exit(Pair().run())
