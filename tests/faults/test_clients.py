"""Bad clients by the hundred and thousand: the good ones beside them notice nothing."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.conftest import Stack, StartStack
from tests.faults.load import load, memory, open_files
from tests.faults.report import note
from tests.servers import ROOT, wait_for


@contextmanager
def bad_clients(kind: str, count: int, port: int, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    """They run beside the block, which begins when all are connected."""
    command = [sys.executable, "-m", "tests.faults.slow_clients", kind, str(count), str(port), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "READY\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def check(stack: Stack, kind: str, count: int, seconds: float, says: str, at_least: int) -> None:
    front, server = stack
    files = open_files(server)
    with load(front.port, clients=2) as alone:
        time.sleep(min(seconds, 8))
    with bad_clients(kind, count, front.port, seconds) as bad:
        held = open_files(server) - files
        with load(front.port, clients=2) as beside:
            outcome = bad.communicate(timeout=300)[0].strip()
    assert alone.failures == beside.failures == []
    assert len(beside.seconds) > 2
    assert int(outcome) >= at_least, f"{kind}: {outcome}"
    assert held < 60, "bad clients have reached the workers"
    note(
        f"{count:,} {says}",
        len(beside.seconds),
        0,
        beside.worst,
        memory(server),
        f"worst without them {alone.worst:.1f} s",
    )
    wait_for(lambda: open_files(server) <= files + 8, 60, "closing of files")


@pytest.mark.parametrize("kind", ["up", "pipeline"])
def test_a_hundred(stack: Stack, kind: str) -> None:
    check(stack, kind, 100 if kind == "up" else 5, 4, f"clients ({kind})", 100)


LONG = {
    "idle": (10_000, 20, "idle kept-alive connections", 9_900),
    "half": (500, 25, "connections that say nothing", 0),
    "head": (500, 25, "clients that send a byte of a header a second", 0),
    "up": (500, 40, "uploads at 1 kB/s", 500),
    "down": (500, 25, "downloads at 1 kB/s", 500),
    "vanish": (100, 20, "clients at a time that reset half an upload", 500),
    "pipeline": (10, 15, "clients that pipeline ten requests", 100),
}


@pytest.mark.faults
@pytest.mark.parametrize("kind", LONG)
def test_many(start_stack: StartStack, kind: str) -> None:
    count, seconds, says, at_least = LONG[kind]
    with start_stack(workers="2", HUSH_SLOTS="2") as stack:
        check(stack, kind, count, seconds, says, at_least)
