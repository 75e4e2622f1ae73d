"""The server as a process: how it starts, refuses to start, hangs, drains and stops."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path

import psutil
import pytest
import requests
import torch

from tests.api.recordings import encoded, noise
from tests.servers import ROOT, Server, environment, start_gunicorn, wait_for


def failed_start(**variables: str) -> str:
    """What a start that must fail says on stderr."""
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn_conf.py"]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_bad_settings_stop_the_start_in_one_line():
    said = failed_start(HUSH_SLOTS="none", HUSH_THREADS="many", HUSH_COLOUR="red")
    assert said.splitlines()[-1] == (
        "hush: HUSH_SLOTS is 'none', allowed is 1 to 1024; HUSH_THREADS is 'many', allowed is 1 to 4096; "
        "HUSH_COLOUR is no setting of this service"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_stops_the_start():
    assert "hush: the device is to be cuda, and there is no CUDA device" in failed_start(HUSH_DEVICE="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_workers_share_the_cuda_device(tmp_path: Path, clips: Path):
    with start_gunicorn(tmp_path, HUSH_DEVICE="cuda") as server:
        for _ in range(4):
            with (clips / "noisy.wav").open("rb") as file:
                assert requests.post(f"{server.url}/predict", files={"audio_file": file}, timeout=30).status_code == 200


def test_a_bad_models_folder_stops_the_start(tmp_path: Path):
    said = failed_start(HUSH_MODELS_DIR=str(tmp_path))
    assert re.match(r"hush: .*hyperparams\.json", said.splitlines()[-1])


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, which is soon taken for hanging, and can be made to hang."""
    folder = tmp_path_factory.mktemp("lone")
    with start_gunicorn(folder, app="tests.api.hanging:app", HUSH_WORKERS="1", HUSH_TIMEOUT_S="2") as server:
        yield server


def new_worker(server: Server, old: psutil.Process) -> None:
    wait_for(lambda: [worker for worker in server.workers() if worker.pid != old.pid], 20, "a new worker")
    wait_for(lambda: requests.get(f"{server.url}/readyz", timeout=10).status_code == 200, 20, "readiness")


def test_a_hanging_worker_logs_its_stacks_and_is_replaced(lone: Server):
    worker = lone.workers()[0]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{lone.url}/hang", timeout=30)
    assert "WORKER TIMEOUT" in lone.log
    assert "Fatal Python error: Aborted" in lone.log
    assert re.search(r"hanging\.py\", line \d+ in hang", lone.log)  # the culprit
    assert re.search(r"gthread\.py\", line \d+ in run", lone.log)  # and the main loop that waits for it
    new_worker(lone, worker)


def test_a_stopping_worker_is_not_ready_and_finishes_its_request(lone: Server):
    worker = lone.workers()[0]
    with (
        socket.create_connection(("127.0.0.1", lone.port), timeout=20) as kept,
        ThreadPoolExecutor(1) as clients,
    ):
        assert status_on(kept, "/healthz") == 200
        files = {"audio_file": encoded(noise(480.0, 8000), 8000)}
        running = clients.submit(requests.post, f"{lone.url}/predict", files=files, timeout=60)
        wait_for(lambda: worker.cpu_percent(0.1) > 30, 20, "computing")
        worker.terminate()
        time.sleep(0.2)
        assert status_on(kept, "/readyz") == 503
        assert running.result().status_code == 200
    new_worker(lone, worker)


def status_on(connection: socket.socket, path: str) -> int:
    """Asks on an open connection, and leaves nothing of the answer unread on it."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def test_the_drain_file_makes_it_not_ready(gunicorn: Server):
    try:
        gunicorn.drain_file.touch()
        answer = requests.get(f"{gunicorn.url}/readyz", timeout=10)
        assert requests.get(f"{gunicorn.url}/healthz", timeout=10).status_code == 200
    finally:
        gunicorn.drain_file.unlink()
    assert (answer.status_code, answer.json()["detail"]) == (503, "The service is being drained.")
    assert answer.json()["type"] == "urn:hush:problem:not-ready"
    assert requests.get(f"{gunicorn.url}/readyz", timeout=10).status_code == 200


def test_it_serves_on_a_unix_socket_and_stops_on_request(tmp_path: Path):
    path = tmp_path / "hush.sock"
    with start_gunicorn(tmp_path, HUSH_BIND=f"unix:{path}") as server:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(path))
            assert status_on(connection, "/readyz") == 200
        server.process.terminate()
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log


def test_a_worker_is_told_to_stop_before_it_can_listen(tmp_path: Path):
    """gunicorn tells each worker once; one that lost the signal would be waited for until the graceful timeout."""
    with start_gunicorn(tmp_path, settings="tests/api/slow_fork_conf.py") as server:
        server.workers()[0].kill()
        wait_for(lambda: server.log.count("Booting worker") == 3, 20, "a successor")
        server.process.terminate()
        assert server.process.wait(10) == 0


def test_worker_environment_and_shared_memory(gunicorn: Server):
    """The workers are forked from a master that has everything loaded, with one thread for each numeric library."""
    worker = gunicorn.workers()[0]
    maps = Path(f"/proc/{worker.pid}/maps").read_text()
    assert "libtorch" in maps
    memory = worker.memory_full_info()
    assert memory.pss < 0.8 * memory.rss  # most of it belongs to the master as well
