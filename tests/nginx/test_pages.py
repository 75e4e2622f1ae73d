"""The pages behind the gateway: not counted, compressed, with their policy."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.nginx.gateway import Running, gateway
from tests.servers import Server


@pytest.fixture(scope="module")
def narrow(need_nginx: None, gunicorn: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that lets two requests through and then one a minute, in front of the test run's gunicorn."""
    folder: Path = tmp_path_factory.mktemp("pages")
    with gateway(folder, f"127.0.0.1:{gunicorn.port}", rate=1, burst=1) as running:
        yield running


@pytest.fixture(scope="module")
def files(narrow: Running) -> list[str]:
    """Paths of the files that the pages name."""
    pages = [requests.get(narrow.url + path, timeout=10).text for path in ("/", "/docs")]
    return re.findall(r'"(static/[^"]+)"', "".join(pages))


def test_pages_and_their_files_are_not_counted(narrow: Running, files: list[str]) -> None:
    paths = ["", "docs", "openapi.json", *files]
    answers = [requests.get(f"{narrow.url}/{path}", timeout=10).status_code for path in paths * 3]
    assert set(answers) == {200}
    counted = [requests.get(f"{narrow.url}/models", timeout=10).status_code for _ in range(3)]
    assert counted == [200, 200, 429]


def test_a_path_that_only_looks_like_a_file_is_counted(narrow: Running) -> None:
    paths = ("models/static/x", "staticx", "docs/x")
    assert 429 in [requests.get(f"{narrow.url}/{path}", timeout=10).status_code for path in paths]


def test_files_are_compressed_and_known_again(narrow: Running, files: list[str]) -> None:
    for path in ["", "openapi.json", *files]:
        first = requests.get(f"{narrow.url}/{path}", timeout=10)
        assert (first.headers.get("Content-Encoding") == "gzip") == (len(first.content) >= 512), path
        again = requests.get(f"{narrow.url}/{path}", headers={"If-None-Match": first.headers["ETag"]}, timeout=10)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]


def test_the_policy_passes(narrow: Running, server: str) -> None:
    direct, through = (requests.get(f"{url}/", timeout=10) for url in (server, narrow.url))
    assert through.headers["Content-Security-Policy"] == direct.headers["Content-Security-Policy"]
    assert through.content == direct.content
