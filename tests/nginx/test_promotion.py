"""Models are promoted, taken in and given back through nginx under constant load, and no request is lost."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from inference.models.__main__ import main
from tests.api.recordings import encoded, noise
from tests.inference.model_packages import as_folder, as_store, package
from tests.nginx.gateway import Running, gateway
from tests.servers import Server, start_gunicorn, wait_for

SHORT = encoded(noise(0.5))
CLIENTS = 3


class Load:
    """What `CLIENTS` clients, one request after the other, were answered: status (or error) and model."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        self.answers: list[tuple[int | str, str]] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                answer = requests.post(self._url, data=SHORT, headers={"Content-Type": "audio/wav"}, timeout=60)
                whole = len(answer.content) == len(SHORT)
                self.answers.append((answer.status_code if whole else "cut off", answer.headers.get("X-Model", "")))
            except requests.RequestException as error:
                self.answers.append((repr(error), ""))


@dataclass(frozen=True)
class Served:
    """gunicorn behind nginx over a models folder of its own, in which `older` is production."""

    models: Path
    server: Server
    front: Running


@pytest.fixture(scope="module")
def served(need_nginx: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("promotion")
    models = as_store(folder / "models", package("older", seed=2), package("newer", seed=3))
    with (
        start_gunicorn(folder, HUSH_MODELS_DIR=str(models)) as server,
        gateway(folder / "nginx", f"127.0.0.1:{server.port}") as front,
    ):
        yield Served(models, server, front)


def reload(server: Server) -> None:
    """What `systemctl reload hush.service` does; returns once only new workers are left."""
    before = {worker.pid for worker in server.workers()}
    os.kill(server.process.pid, signal.SIGHUP)

    def replaced() -> bool:
        now = {worker.pid for worker in server.workers()}
        return len(now) == 2 and not now & before

    wait_for(replaced, 60, "replacement of the workers")


def run(models: Path, *arguments: str) -> int:
    return main(["--models", str(models), *arguments])


def test_promotion_and_rollback_under_load_lose_nothing(served: Served) -> None:
    with Load(f"{served.front.url}/predict") as load:
        wait_for(lambda: len(load.answers) > 10, 30, "load")
        assert {model for _, model in load.answers} == {"older"}
        for arguments, model in ((["promote", "newer"], "newer"), (["promote", "--back"], "older")):
            assert run(served.models, *arguments) == 0
            reload(served.server)
            since = len(load.answers) + CLIENTS  # those may have been under way
            wait_for(lambda since=since: len(load.answers) > since + 10, 30, "answers")
            assert {model for _, model in load.answers[since:]} == {model}
        memory = served.server.workers()[0].memory_full_info()
        assert memory.pss < 0.8 * memory.rss  # the models that were loaded anew are shared as well
    assert {status for status, _ in load.answers} == {200}
    assert {model for _, model in load.answers} == {"older", "newer"}
    assert served.server.log.count("models loaded again") == 2


def test_a_model_that_was_added_is_served_after_a_reload(served: Served, tmp_path: Path) -> None:
    assert run(served.models, "add", str(as_folder(package("third", seed=4), tmp_path / "p"))) == 0
    assert requests.get(f"{served.front.url}/models/third", timeout=10).status_code == 404
    reload(served.server)
    assert requests.get(f"{served.front.url}/models/third", timeout=10).json()["labels"] == []
    answer = requests.post(f"{served.front.url}/predict?model=third", files={"audio_file": SHORT}, timeout=30)
    assert (answer.status_code, answer.headers["X-Model"]) == (200, "third")


def test_a_damaged_folder_leaves_what_is_served(served: Served) -> None:
    weights = served.models / "older.safetensors"
    good = weights.read_bytes()
    try:
        weights.write_bytes(b"x")
        reload(served.server)
    finally:
        weights.write_bytes(good)
    assert "the models stay as they were" in served.server.log
    assert "model 'older'" in served.server.log
    answer = requests.post(f"{served.front.url}/predict", files={"audio_file": SHORT}, timeout=30)
    assert (answer.status_code, answer.headers["X-Model"]) == (200, "older")


def test_reloading_does_not_make_the_master_grow(served: Served) -> None:
    master = psutil.Process(served.server.process.pid)
    sizes = []
    for _ in range(3):
        reload(served.server)
        sizes.append(master.memory_info().rss)
    assert sizes[-1] - sizes[0] < 8 * 2**20
