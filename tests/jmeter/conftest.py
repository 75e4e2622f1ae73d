"""JMeter, its recordings, and the service behind nginx as clients meet it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jmeter import program, recordings
from tests.jmeter.runs import Target
from tests.nginx.gateway import MISSING, NGINX, gateway
from tests.servers import Server


@pytest.fixture(scope="session")
def jmeter() -> list[str]:
    """The beginning of its command line."""
    try:
        return program.command(os.environ, may_fetch=False)
    except program.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def made() -> Path:
    """The folder of the recordings, which are made once for all test runs."""
    recordings.make(recordings.FOLDER)
    return recordings.FOLDER


@pytest.fixture(scope="session")
def service(
    jmeter: list[str], made: Path, gunicorn: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """The service with its default limits, nginx in front without a limit of rate."""
    if NGINX is None:
        pytest.skip(MISSING)
    with gateway(tmp_path_factory.mktemp("front"), f"127.0.0.1:{gunicorn.port}", body_limit_mb=256) as front:
        yield Target(front.port)
