"""The machine has no more of something: disk, descriptors, memory. Clear errors, then everything as before."""

import os
import resource
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from tests.api.recordings import FORM_TYPE, decoded, encoded, form, noise
from tests.faults.conftest import StartStack
from tests.faults.load import RECORDING, load, memory
from tests.faults.report import note
from tests.servers import start_gunicorn, wait_for

LONG = encoded(noise(60.0))  # 1.9 MB
QUIET = encoded(noise(60.0, level=0.001), container="FLAC")  # smaller than its answer
AUDIO = {"Content-Type": "audio/wav"}


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of that size."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", str(folder)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_disk_of_uploads_and_answers_is_full(start_stack: StartStack, tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "spool", 3) as disk,
        start_stack(HUSH_SPOOL_DIR=str(disk), HUSH_SPOOL_BYTES="1000000") as (front, server),
    ):

        def post(path: str, body: bytes, kind: str = "audio/wav") -> requests.Response:
            return requests.post(front.url + path, data=body, headers={"Content-Type": kind}, timeout=60)

        whole = post("/predict?model=lsa", QUIET)
        assert whole.status_code == 200
        wait_for(lambda: shutil.disk_usage(disk).used == 0, 20, "an empty disk")
        filler = disk / "filler"
        filler.write_bytes(bytes(3 * 2**20 - 1_200_000))
        with load(front.port, clients=2) as seen:  # small ones, in memory
            refused = [
                post("/predict?model=lsa", LONG),
                post("/predict?model=lsa", form(LONG), FORM_TYPE),
                post("/predict?model=lsa", QUIET),
                post("/mix-noise?noise_type=white", QUIET),
            ]
            for answer in refused:
                assert (answer.status_code, answer.json()["type"]) == (503, "urn:hush:problem:out-of-room")
                assert int(answer.headers["Retry-After"]) > 0
        filler.unlink()
        assert seen.failures == []
        assert post("/predict?model=lsa", QUIET).content == whole.content
        assert list(disk.iterdir()) == []
        assert "Traceback" not in server.log
        says = "4 large ones got 503 with Retry-After, small ones were served"
        note("disk full for uploads and answers", len(seen.seconds) + 4, 4, seen.worst, memory(server), says)


@pytest.mark.faults
def test_the_disk_of_nginx_is_full(start_stack: StartStack, tmp_path: Path) -> None:
    with start_stack() as (front, server), ExitStack() as held:
        bodies = front.folder / "temp_body"
        command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", str(bodies)]
        if os.geteuid() != 0 or subprocess.run(command, check=False).returncode:
            pytest.skip("mounting a small file system needs root")
        held.callback(subprocess.run, ["umount", "--lazy", str(bodies)], check=True)
        answer = requests.post(f"{front.url}/predict", data=LONG, headers=AUDIO, timeout=60)
        assert (answer.status_code, answer.json()["status"]) == (503, 503)
        assert int(answer.headers["Retry-After"]) > 0
        small = requests.post(f"{front.url}/predict?model=lsa", data=RECORDING, headers=AUDIO, timeout=60)
        assert small.status_code == 200
        note(
            "disk of nginx full for uploads",
            2,
            1,
            answer.elapsed.total_seconds(),
            memory(server),
            "503, small ones served",
        )


@contextmanager
def few_files(count: int) -> Iterator[None]:
    """This process, and those it starts, may have so many files open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.faults
def test_few_descriptors(tmp_path: Path) -> None:
    """More connections than a worker may have files: they wait, and no worker ends for it."""
    with ExitStack() as held:
        with few_files(256):
            server = held.enter_context(start_gunicorn(tmp_path, HUSH_SLOTS="2", HUSH_SPOOL_BYTES="1000"))
        workers = {worker.pid for worker in server.workers()}
        for _ in range(600):
            idle = held.enter_context(socket.socket())
            idle.setblocking(False)
            idle.connect_ex(("127.0.0.1", server.port))
        time.sleep(2)
        assert {worker.pid for worker in server.workers()} == workers
        most = max(worker.num_fds() for worker in server.workers())
        assert 80 < most < 256
    note("file-descriptor limit of 256, 600 connections", 600, 0, 2.0, None, f"at most {most} open in a worker")


def test_descriptors_run_out_all_the_same(tmp_path: Path) -> None:
    """The limit falls while the service runs: 503 or a wait, then everything as before."""
    with start_gunicorn(tmp_path, HUSH_SLOTS="2", HUSH_SPOOL_BYTES="1000", HUSH_WORKERS="1") as server:
        (worker,) = server.workers()
        limit = worker.rlimit(resource.RLIMIT_NOFILE)

        def post() -> requests.Response:
            return requests.post(f"{server.url}/predict?model=lsa", data=RECORDING, headers=AUDIO, timeout=60)

        assert post().status_code == 200
        worker.rlimit(resource.RLIMIT_NOFILE, (3, limit[1]))
        late: list[int] = []
        thread = threading.Thread(target=lambda: late.append(post().status_code))
        thread.start()
        time.sleep(2)
        assert worker.is_running()
        worker.rlimit(resource.RLIMIT_NOFILE, limit)
        thread.join(60)
        assert late == [200]
        assert "has to wait" in server.log
        assert [found.pid for found in server.workers()] == [worker.pid]
        note("no descriptor left", 2, 0, 2.5, memory(server), "accepted when there are some again")


GROUPS = Path("/sys/fs/cgroup")


@contextmanager
def control_group() -> Iterator[tuple[Path, Path]]:
    """A memory control group that what is started in the block belongs to, and its limit's file (version 1 or 2)."""
    first = (GROUPS / "memory").is_dir()
    group = GROUPS / ("memory" if first else "") / f"hush-test-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if first else "memory.max")
    try:
        group.mkdir()
        if not limit.exists():
            group.rmdir()
            pytest.skip("there is no memory controller here")
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    line = next(
        line for line in Path("/proc/self/cgroup").read_text().splitlines() if (":memory:" if first else "0::") in line
    )
    home = GROUPS / ("memory" if first else "") / line.rpartition(":")[2].lstrip("/")
    home = home if (home / "cgroup.procs").exists() else group.parent
    (group / "cgroup.procs").write_text(str(os.getpid()))
    try:
        yield group, limit
    finally:
        (home / "cgroup.procs").write_text(str(os.getpid()))


def remove_group(group: Path) -> None:
    """Once the last process has left it."""
    wait_for(lambda: not (group / "cgroup.procs").read_text(), 30, "the end of the group's processes")
    group.rmdir()


@pytest.mark.faults
def test_the_memory_limit_is_reached(start_stack: StartStack) -> None:
    """As MemoryMax= of a unit: the kernel kills a worker, never the master, and the others are served on."""
    big = encoded(noise(300.0, 48_000, 2, level=0.001), 48_000, container="FLAC")
    with ExitStack() as held:
        with control_group() as (group, limit):
            held.callback(remove_group, group)
            front, server = held.enter_context(start_stack(HUSH_SLOTS="2"))
        limit.write_text(str(int((memory(server) + 150) * 2**20)))
        first = {worker.pid for worker in server.workers()}
        with load(front.port, clients=2) as seen:
            answer = requests.post(f"{front.url}/mix-noise?noise_type=white", data=big, headers=AUDIO, timeout=120)
            wait_for(lambda: len(server.workers()) == 2, 60, "two workers")
            time.sleep(3)
        assert (answer.status_code, answer.json()["status"]) in ((502, 502), (503, 503))
        assert server.process.poll() is None, "the master was killed"
        assert first != {worker.pid for worker in server.workers()}
        # An answer that a killed worker was just sending breaks off, which its length shows.
        assert {failure[:4] for failure in seen.failures} <= {"502 ", "Inco"}
        limit.write_text("-1" if limit.name != "memory.max" else "max")
        with load(front.port, clients=2) as after:
            time.sleep(3)
        assert after.failures == []
        says = f"the too large one got {answer.status_code} after two tries; workers replaced, master untouched"
        count = len(seen.seconds) + len(after.seconds) + 1
        note("memory limit reached", count, len(seen.failures) + 1, seen.worst, memory(server), says)
        assert len(decoded(requests.post(front.url + "/predict", data=RECORDING, headers=AUDIO).content)[0])
