"""Fixtures of the containers. The images are built once, for whoever runs them."""

from collections.abc import Iterator

import pytest

from tests.cloud.bakery import WHEELS
from tests.containers.builder import COMMIT, Builder, need_builder


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """buildah with the base image; its gigabytes go with the session."""
    need_builder()
    made = Builder(tmp_path_factory.mktemp("images"))
    try:
        made.import_base()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def app_image(builder: Builder) -> str:
    """Name of the application's image."""
    return builder.build("app", WHEELS=WHEELS, COMMIT=COMMIT)


@pytest.fixture(scope="session")
def gateway_image(builder: Builder) -> str:
    """Name of the gateway's image."""
    return builder.build("gateway")
