"""The whole stack of one instance: the real nginx in front of the real gunicorn on a unix socket."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from tests.nginx.gateway import MISSING, NGINX, Running, gateway
from tests.servers import Server, start_gunicorn, wait_for

Stack = tuple[Running, Server]
StartStack = Callable[..., AbstractContextManager[Stack]]


@pytest.fixture(scope="session")
def need_nginx() -> None:
    """Skips where the real nginx is not there."""
    if NGINX is None:
        pytest.skip(MISSING)


@pytest.fixture(scope="session")
def start_stack(need_nginx: None, tmp_path_factory: pytest.TempPathFactory) -> StartStack:
    """Starts nginx and gunicorn with the settings given as HUSH_NAME="value"; both end with the block."""

    @contextmanager
    def start(workers: str = "1", **settings: str) -> Iterator[Stack]:
        folder: Path = tmp_path_factory.mktemp("stack")
        with TemporaryDirectory(prefix="hush-") as sockets:  # a socket's path may be 107 bytes long
            bind = f"unix:{sockets}/gunicorn.sock"
            with (
                start_gunicorn(folder, HUSH_BIND=bind, HUSH_TRUSTED_PROXIES="1", **settings) as server,
                gateway(folder, bind, workers=workers) as front,
            ):
                wait_for(lambda: ready(front), 60, f"readiness\n{server.log}")
                yield front, server

    return start


def ready(front: Running) -> bool:
    return requests.get(f"{front.url}/readyz", timeout=20).status_code == 200


@pytest.fixture(scope="module")
def stack(start_stack: StartStack) -> Iterator[Stack]:
    """One instance with two workers for all tests of a module."""
    with start_stack(HUSH_SLOTS="2") as running:
        yield running
