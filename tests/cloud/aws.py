"""An AWS on this machine: moto's server with our corrections, and clients for it."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.programs import cloud_tool

REGION = "eu-central-1"
SERVER = Path(__file__).with_name("moto_corrected.py")


@dataclass(frozen=True)
class Cloud:
    """A running moto."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What points AWS's tools at it; few attempts, because a call that moto lacks is retried for minutes."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "2",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """boto3's client of a service."""
        boto3 = pytest.importorskip("boto3", reason="boto3 is missing: make test-cloud installs it")
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def register_image(self, name: str, **tags: str) -> str:
        """The id of a new image of this account; tag names are written with `_` for `:`."""
        ec2 = self.client("ec2")
        root = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}
        image = ec2.register_image(Name=name, RootDeviceName="/dev/xvda", BlockDeviceMappings=[root])["ImageId"]
        ec2.create_tags(Resources=[image], Tags=[{"Key": k.replace("_", ":"), "Value": v} for k, v in tags.items()])
        return str(image)


def free_port() -> int:
    """A TCP port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def start_cloud(log: Path) -> Iterator[Cloud]:
    """A fresh moto, ended with the block; its output goes to `log`."""
    python = str(Path(cloud_tool("moto_server")).parent / "python")
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, str(SERVER), "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        cloud = Cloud(f"http://127.0.0.1:{port}")
        _wait(cloud, process, log)
        yield cloud
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


def _wait(cloud: Cloud, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, f"moto has ended:\n{log.read_text()[-3000:]}"
        try:
            with urllib.request.urlopen(f"{cloud.url}/moto-api/", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("moto does not answer after 60 s")
