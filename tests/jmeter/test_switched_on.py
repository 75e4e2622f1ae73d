"""A service with jobs, API keys and a result cache: all rows that ask for them, and `smoke` as everywhere else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.keys import new
from tests.api.jobs.running import service as service_of_jobs
from tests.jmeter.runs import Target, run
from tests.nginx.gateway import MISSING, NGINX, gateway
from tests.servers import ROOT

pytestmark = [pytest.mark.load_long, pytest.mark.timeout(400)]

KEY, LINE = new("load-test")


@pytest.fixture(scope="module")
def everything(jmeter: list[str], made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One gunicorn and one consumer of jobs behind nginx, without a limit of rate."""
    if NGINX is None:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("everything")
    (folder / "keys").write_text(f"{LINE}\n")
    (folder / "cache").mkdir()
    settings = {"HUSH_CACHE_BYTES": "100000000", "HUSH_CACHE_DIR": str(folder / "cache")}
    with service_of_jobs(folder, HUSH_API_KEYS_FILE=str(folder / "keys"), **settings) as running:
        running.start_consumer()
        with gateway(folder / "front", running.url.removeprefix("http://"), body_limit_mb=256) as front:
            yield Target(front.port)


@pytest.mark.parametrize("name", ["keys.csv", "cache.csv", "jobs.csv", "smoke.csv"])
def test_every_row_is_right(everything: Target, tmp_path: Path, name: str) -> None:
    file = ROOT / "jmeter" / name
    burst = 24 if name == "smoke.csv" else 0
    options = ["--key", KEY, "--rows", str(file), "--burst", str(burst)]
    found = run("smoke", everything, tmp_path / "run", *options)
    assert found.status == 0, found.printed + found.complaints
    asked = {line.partition(",")[0] for line in file.read_text().splitlines()[1:]}
    right = {sample["label"] for sample in found.samples if sample["success"] == "true"}
    assert asked <= right
    assert KEY not in "".join(path.read_text() for path in found.folder.iterdir() if path.is_file())


def test_rows_of_the_cache_find_that_there_is_none(service: Target, tmp_path: Path) -> None:
    found = run("smoke", service, tmp_path / "run", "--rows", str(ROOT / "jmeter" / "cache.csv"), "--burst", "0")
    assert found.status == 1
    wrong = {sample["label"] for sample in found.samples if sample["success"] == "false"}
    assert {"cache: miss", "cache: hit", "cache: the client has it"} <= wrong
