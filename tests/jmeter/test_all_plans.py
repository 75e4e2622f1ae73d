"""Every other plan for real, as briefly as it makes sense, and a service that limits: `make test-load`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jmeter import report
from tests.jmeter.runs import Target, rows, run
from tests.nginx.gateway import gateway
from tests.servers import Server

pytestmark = [pytest.mark.load_long, pytest.mark.timeout(400)]

QUICK = ["--warm-up", "45", "--drain", "20", "--seed", "7"]
ONE_A_SECOND = ["--arrivals", "1", "--duration", "8"]
# Everything is fine that is not wrong: how fast this machine is just now is not what is tested.
LENIENT = "wrong_percent = at most 0\n"


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Short recordings only, and thresholds that are about right answers alone."""
    folder = tmp_path_factory.mktemp("easy")
    call = {"method": "POST", "call": "/predict?attenuation_limit_db=${fresh}", "content": "audio/format"}
    short = {**call, "file": "short_mono.wav", "type": "audio/wav", "status": "200|503", "seconds": "4"}
    names = ("load", "stress", "spike", "soak")
    (folder / "thresholds.ini").write_text("".join(f"[{name}]\n{LENIENT}" for name in names))
    file = rows(folder / "rows.csv", {**short, "label": "short"}, {"label": "models"})
    return ["--rows", str(file), "--thresholds", str(folder / "thresholds.ini")]


def stages(folder: Path) -> dict[str, int]:
    """How many requests began in each stage, of the verdict's table."""
    lines = (folder / "verdict.txt").read_text().partition("stage ")[2].splitlines()[1:]
    return {line.split()[0]: int(line.split()[1]) for line in lines if line and line[0] != " "}


def test_load(service: Target, easy: list[str], tmp_path: Path) -> None:
    found = run("load", service, tmp_path / "run", *QUICK, *easy, *ONE_A_SECOND, "--ramp", "4", report=True)
    assert found.status == 0, found.printed + found.complaints
    statistics = json.loads((tmp_path / "run" / "report" / "statistics.json").read_text())
    assert statistics["Total"]["sampleCount"] == len(found.samples) + 1  # and the warm-up
    assert (tmp_path / "run" / "report" / "index.html").exists()
    assert set(stages(found.folder)) <= {"ramp", "steady"}
    assert 3 <= stages(found.folder)["steady"] <= 20  # eight expected, from a Poisson process


def test_a_run_that_began_too_early_is_no_measurement(service: Target, easy: list[str], tmp_path: Path) -> None:
    early = ["--warm-up", "0", "--drain", "5", "--ramp", "1", "--arrivals", "1", "--duration", "3"]
    found = run("load", service, tmp_path / "run", *early, *easy)
    assert found.status == 1
    assert "raise warm_up" in found.printed


def test_stress(service: Target, easy: list[str], tmp_path: Path) -> None:
    steps = ["--increase", "2", "--steps", "3"]
    found = run("stress", service, tmp_path / "run", *QUICK, *easy, *ONE_A_SECOND, *steps)
    assert found.status == 0, found.printed + found.complaints
    numbers = stages(found.folder)
    assert list(numbers) == ["1/s", "3/s", "5/s"]
    assert numbers["1/s"] < numbers["5/s"]


def test_spike(service: Target, easy: list[str], tmp_path: Path) -> None:
    found = run("spike", service, tmp_path / "run", *QUICK, *easy, *ONE_A_SECOND, "--peak", "6")
    assert found.status == 0, found.printed + found.complaints
    numbers = stages(found.folder)
    assert {"before", "peak", "after"} <= set(numbers)
    assert numbers["peak"] > 2 * max(numbers["before"], numbers["after"])


def test_soak(service: Target, easy: list[str], tmp_path: Path) -> None:
    found = run("soak", service, tmp_path / "run", *QUICK, *easy, *ONE_A_SECOND, "--ramp", "2")
    assert found.status == 0, found.printed + found.complaints
    assert {f"quarter{number}" for number in (1, 2, 3, 4)} <= set(stages(found.folder))


@pytest.fixture(scope="module")
def limited(service: Target, gunicorn: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One request a second, and three more at once; bodies of 1 MiB."""
    upstream = f"127.0.0.1:{gunicorn.port}"
    with gateway(tmp_path_factory.mktemp("limited"), upstream, rate=60, burst=3, body_limit_mb=1) as front:
        yield Target(front.port)


def test_a_limit_is_obeyed_and_met(limited: Target, tmp_path: Path) -> None:
    """Ten requests pass where four at once are allowed, because `Retry-After` is waited for."""
    file = rows(tmp_path / "rows.csv", *({"label": f"models {number}"} for number in range(10)))
    options = ["--rows", str(file), "--burst", "8", "--limits", "429"]
    found = run("smoke", limited, tmp_path / "run", *options)
    assert found.status == 0, found.printed + found.complaints
    assert any(sample["label"].endswith("(limited)") for sample in found.samples)


def test_a_service_that_takes_too_little_fails(limited: Target, tmp_path: Path) -> None:
    upload = {"method": "POST", "call": "/predict", "file": "short_stereo.wav", "type": "audio/wav"}
    file = rows(tmp_path / "rows.csv", {**upload, "label": "large", "content": "audio/wav"})
    found = run("smoke", limited, tmp_path / "run", "--rows", str(file), "--burst", "0")
    assert found.status == 1
    assert "1 x large: wrong: status 413" in found.printed


def test_a_row_waits_for_what_takes_a_while(service: Target, tmp_path: Path) -> None:
    """And gives up in the end."""
    file = rows(tmp_path / "rows.csv", {"label": "never", "call": "/no-such-path", "wait_s": "2"}, {"label": "models"})
    found = run("smoke", service, tmp_path / "run", "--rows", str(file), "--burst", "0")
    assert found.status == 1
    assert sum(sample["label"] == "never (not yet)" for sample in found.samples) >= 2
    assert [sample["success"] for sample in found.samples if sample["label"] == "never"] == ["false"]


def test_samples_of_two_machines_are_one_run(service: Target, tmp_path: Path) -> None:
    file = rows(tmp_path / "rows.csv", {"label": "models"}, {"label": "again"})
    options = ["--rows", str(file), "--burst", "0", "--limits", "none"]
    found = run("smoke", service, tmp_path / "one", *options)
    assert found.status == 0, found.printed + found.complaints
    same = str(tmp_path / "one" / "samples.csv")
    assert report.main(["smoke", "--output", str(tmp_path / "all"), same, same]) == 0
    assert (tmp_path / "all" / "report" / "index.html").exists()
    single, both = (len((tmp_path / name / "samples.csv").read_text().splitlines()) for name in ("one", "all"))
    assert both == 2 * single - 1
