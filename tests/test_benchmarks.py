"""The benchmarks can be called and are documented; the models in them compute what can be checked by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.all import RUNS
from benchmarks.autoscaling import Policy, simulate
from benchmarks.capacity import service_times
from benchmarks.results import page
from tests.test_conventions import ROOT

FOLDER = ROOT / "benchmarks"
COMMANDS = sorted(path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text())


def test_there_are_benchmarks() -> None:
    assert {"efficiency", "memory", "peers", "overload", "long", "network", "scaling", "capacity"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_benchmark_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (FOLDER / "README.md").read_text()


def test_help_needs_nothing_else() -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "benchmarks.capacity", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--beside" in outcome.stdout


@pytest.mark.parametrize("file", sorted((FOLDER / "results").glob("*.json")), ids=lambda file: file.stem)
def test_results_say_on_what_they_were_measured(file: Path) -> None:
    result = json.loads(file.read_text())
    assert result["benchmark"] == file.stem
    assert result["machine"]["processor"]
    assert file.with_suffix(".png").stat().st_size < 100_000


def test_the_page_of_results_shows_the_files() -> None:
    folder = FOLDER / "results"
    assert (folder / "README.md").read_text() == page(folder)


def test_all_runs_every_benchmark() -> None:
    assert set(RUNS) == set(COMMANDS) - {"all", "results"}


def test_a_steady_load_below_the_target_is_never_refused() -> None:
    outcome = simulate([100.0] * 3600, 100.0, Policy(minimum=2))
    assert outcome.refused == 0
    assert outcome.most_instances == 2
    assert outcome.offered == pytest.approx(100.0)


def test_a_step_is_refused_until_instances_have_started() -> None:
    policy = Policy(minimum=2, start_seconds=60, metric_delay=60, queue_seconds=0)
    outcome = simulate([100.0] * 600 + [400.0] * 1800, 100.0, policy)
    # Two instances take 200 of 400. The minute is full at 660, seen at 720, the next instances serve from 780 on.
    assert outcome.scale_out_delay is not None
    assert 120 <= outcome.scale_out_delay <= 480
    assert 0 < outcome.refusal_rate < 0.2
    assert outcome.most_instances >= 400 / 100 / policy.target


def test_idle_instances_are_stopped() -> None:
    outcome = simulate([1000.0] * 600 + [10.0] * 7200, 100.0, Policy(minimum=2))
    assert outcome.instance_hours < 17 * 7800 / 3600 / 2


def test_service_times_come_from_two_lengths(tmp_path: Path) -> None:
    rows = [
        {"clip_s": 5, "body": "bare", "served_ms": [13.0]},
        {"clip_s": 30, "body": "bare", "served_ms": [63.0]},
        {"clip_s": 30, "body": "multipart", "served_ms": [99.0]},
    ]
    file = tmp_path / "efficiency.json"
    file.write_text(json.dumps({"rows": rows}))
    assert service_times(file) == pytest.approx((3.0, 2.0))
