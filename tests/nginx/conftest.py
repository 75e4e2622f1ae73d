"""One gateway for the tests that only look at answers; tests that change its options start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nginx.gateway import MISSING, NGINX, Running, gateway
from tests.nginx.upstream import Upstream, upstream


@pytest.fixture(scope="session")
def need_nginx() -> None:
    """Skips where the real nginx is not there."""
    if NGINX is None:
        pytest.skip(MISSING)


@pytest.fixture(scope="session")
def backend(need_nginx: None) -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="session")
def front(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Small limits, no rate limit, and an application that is given one second."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    with gateway(folder, backend.address, body_limit_mb=1, answer_timeout=1) as running:
        yield running
