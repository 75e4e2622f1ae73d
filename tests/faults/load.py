"""Steady load of real requests, and what became of each: how many, which failed, the worst wait."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from tests.api.recordings import decoded, encoded, noise
from tests.servers import Server

SECONDS = 1.0  # of each recording
RECORDING = encoded(noise(SECONDS))
FRAMES = len(decoded(RECORDING)[0])
PATH = "/predict?model=recurrent"


@dataclass
class Seen:
    """What the clients have seen. An answer that is not whole counts as a failure."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def worst(self) -> float:
        return max(self.seconds, default=0.0)


def one(connection: http.client.HTTPConnection, path: str = PATH, body: bytes = RECORDING, frames: int = FRAMES) -> str:
    """Posts a recording; what is wrong with the answer, nothing when it is right."""
    try:
        connection.request("POST", path, body, {"Content-Type": "audio/wav"})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return repr(error)
    if answer.status != 200:
        return f"{answer.status} {content[:200]!r}"
    return "" if len(decoded(content)[0]) == frames else f"{len(content)} bytes"


@contextmanager
def load(port: int, clients: int = 4, host: str = "127.0.0.1", path: str = PATH) -> Iterator[Seen]:
    """Clients that ask one thing after the other until the block ends; each finishes what it has begun."""
    seen, stop = Seen(), threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection(host, port, timeout=120)
        while not stop.is_set():
            began = time.monotonic()
            wrong = one(connection, path)
            seen.seconds.append(time.monotonic() - began)
            if wrong:
                seen.failures.append(wrong)
                time.sleep(0.2)  # as a client would before it tries again
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def memory(server: Server) -> float:
    """MiB of master and workers together, shared pages counted once (PSS)."""
    master, total = psutil.Process(server.process.pid), 0
    for process in (master, *master.children()):
        with suppress(psutil.NoSuchProcess):  # a worker that is just being replaced
            total += process.memory_full_info().pss
    return total / 2**20


def open_files(server: Server) -> int:
    return sum(worker.num_fds() for worker in server.workers())
