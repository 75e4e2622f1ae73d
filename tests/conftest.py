"""Fixtures for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server, start_gunicorn


@pytest.fixture(scope="session")
def clips() -> Path:
    """Folder of the recordings made by the project."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of the whole test run, with default settings."""
    with start_gunicorn(tmp_path_factory.mktemp("gunicorn")) as server:
        yield server


@pytest.fixture(scope="session")
def server(gunicorn: Server) -> str:
    """Its base URL, http://127.0.0.1:PORT."""
    return gunicorn.url
