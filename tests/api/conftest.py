"""The application inside the test process, where a whole server is not the point."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import Settings
from inference.noise import NoiseLibrary
from inference.store import ModelStore, load_store
from tests.servers import ROOT, Server, start_gunicorn

Make = Callable[..., FlaskClient]


@pytest.fixture(scope="session")
def models() -> ModelStore:
    torch.set_num_threads(1)
    return load_store(ROOT / "models", precision=Settings().precision)  # as the server


@pytest.fixture(scope="session")
def noises() -> NoiseLibrary:
    return NoiseLibrary(None)


@pytest.fixture(scope="session")
def spooling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server that keeps all but the smallest uploads and answers in files, and the folder of those."""
    folder = tmp_path_factory.mktemp("spooling")
    spool = folder / "spool"
    spool.mkdir()
    with start_gunicorn(folder, HUSH_SPOOL_BYTES="1000", HUSH_SPOOL_DIR=str(spool), TMPDIR=str(spool)) as server:
        yield server, spool


@pytest.fixture
def make_client(models: ModelStore, noises: NoiseLibrary) -> Iterator[Make]:
    """A client of an application with the given settings; its TESTING flag is off, as in production."""
    with ExitStack() as held:

        def make(**settings: object) -> FlaskClient:
            app = create_app(Settings(**settings), models, noises)  # type: ignore[arg-type]
            held.callback(app.extensions["admission"].close)
            return app.test_client()

        yield make


@pytest.fixture(scope="session")
def client(models: ModelStore, noises: NoiseLibrary) -> FlaskClient:
    """A client of the application with default settings."""
    return create_app(Settings(), models, noises).test_client()
