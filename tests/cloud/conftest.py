"""Fixtures of the cloud parts. Tests marked `cloud_long` run by `make test-cloud` only."""

import pytest

from tests.cloud.terraform_cli import Terraform, install


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The stack with its provider installed, for tests that keep no state."""
    return install(tmp_path_factory.mktemp("stack"))
