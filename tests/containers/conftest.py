"""Fixtures of the containers. The images are built once, for whoever runs them."""

import pytest

from tests.cloud.bakery import WHEELS
from tests.containers.builder import COMMIT, Builder, need_builder


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """buildah with the base image."""
    need_builder()
    made = Builder(tmp_path_factory.mktemp("images"))
    made.import_base()
    return made


@pytest.fixture(scope="session")
def app_image(builder: Builder) -> str:
    """Name of the application's image."""
    return builder.build("app", WHEELS=WHEELS, COMMIT=COMMIT)


@pytest.fixture(scope="session")
def gateway_image(builder: Builder) -> str:
    """Name of the gateway's image."""
    return builder.build("gateway")
