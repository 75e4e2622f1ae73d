"""Instances that are drained, or die, behind balancers that retry and that do not."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cloud.programs import program
from tests.faults.instances import start_group
from tests.faults.report import note

pytestmark = pytest.mark.faults
NOTICE_SECONDS = 5  # haproxy asks each second and believes the second answer; the request it just sent comes back


def test_instances_come_and_go(need_nginx: None, tmp_path: Path) -> None:
    """One is drained and stopped behind the balancer that does not retry, the next killed behind the one that does."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for name, package in (("ip", "iproute2"), ("haproxy", "haproxy"), ("curl", "curl")):
        program(name, package)
    with TemporaryDirectory(prefix="hush-") as sockets, start_group(tmp_path, Path(sockets)) as group:
        first, second, _ = group.instances.values()
        with group.load(80) as drained:
            first.drain_file.touch()
            time.sleep(NOTICE_SECONDS)
            first.stop()
        note("instance drained and stopped, balancer without retries", *figures(drained))
        with group.load(81) as killed:
            second.kill()
        note("instance killed hard, retrying balancer", *figures(killed))
    assert drained["failures"] == []
    assert killed["failures"] == []


def figures(seen: dict[str, object]) -> tuple[int, int, float, None]:
    return int(seen["requests"]), len(seen["failures"]), float(seen["worst"]), None  # type: ignore[call-overload,arg-type]
