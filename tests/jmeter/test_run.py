"""The plans for real: JMeter against gunicorn behind nginx. The short ones; test_all_plans.py has the others."""

from pathlib import Path

import pytest

from tests.jmeter.runs import Run, Target, rows, run
from tests.nginx.gateway import free_port
from tests.servers import ROOT

pytestmark = pytest.mark.timeout(400)

UPLOAD = {"method": "POST", "call": "/predict", "file": "short_mono.wav", "type": "audio/wav", "content": "audio/wav"}
# Each row expects something that the answer is not, and what must be said about it.
DISAPPOINTED = {
    "status": ({"status": "404"}, "wrong: status 200 (OK), expected 404"),
    "content": ({"content": "text/html"}, "wrong: content type application/json, expected text/html"),
    "contains": ({"contains": "no-such-thing"}, "wrong: no no-such-thing in the body"),
    "keep": ({"keep": "name=nothing(.)"}, "wrong: nothing like nothing(.) in the answer"),
    "keep more": ({"keep": "name=(${missing})"}, "wrong: no row before has kept missing"),
    "broken": ({"keep": "name=(["}, "Unclosed character class"),
    "late": ({"within_ms": "0.001"}, "late: "),
    "wav": ({**UPLOAD, "seconds": "4.01"}, "wrong: 4.0 s of audio, expected 4.01"),
    "flac": (
        {**UPLOAD, "call": "/predict?format=flac", "content": "audio/flac", "seconds": "5"},
        "wrong: 4.0 s of audio, expected 5",
    ),
    "ogg": ({**UPLOAD, "call": "/predict?format=ogg", "content": "audio/ogg", "seconds": "3"}, "wrong: 4.0"),
    "mp3": ({**UPLOAD, "call": "/predict?format=mp3", "content": "audio/mpeg", "seconds": "3"}, "wrong: 4."),
    "not audio": ({"seconds": "4"}, "wrong: -1.0 s of audio, expected 4"),
    "unexpected error": ({"call": "/no-such-path"}, "wrong: status 404 (NOT FOUND), expected 200"),
}


@pytest.fixture(scope="module")
def disappointed(service: Target, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("expectations")
    file = rows(folder / "rows.csv", *({**row, "label": label} for label, (row, _) in DISAPPOINTED.items()))
    return run("smoke", service, folder / "run", "--rows", str(file), "--burst", "1", "--limits", "429")


def test_smoke_passes(service: Target, tmp_path: Path) -> None:
    found = run("smoke", service, tmp_path / "run", "--burst", "64")
    assert found.status == 0, found.printed + found.complaints
    assert "smoke: PASS" in (tmp_path / "run" / "verdict.txt").read_text()
    asked = (ROOT / "jmeter" / "smoke.csv").read_text().splitlines()[1:]
    assert len(found.samples) == len(asked) + 64 + 1
    assert {sample["success"] for sample in found.samples} == {"true"}


@pytest.mark.parametrize("label", DISAPPOINTED)
def test_a_wrong_answer_is_found(label: str, disappointed: Run) -> None:
    found = [sample for sample in disappointed.samples if sample["label"] == label]
    assert [sample["success"] for sample in found] == ["false"]
    assert DISAPPOINTED[label][1] in found[0]["failureMessage"]


def test_a_limit_that_was_not_met_is_found(disappointed: Run) -> None:
    assert "wrong: the burst met no 429" in [sample["responseMessage"] for sample in disappointed.samples]


def test_wrong_answers_fail_the_run(disappointed: Run) -> None:
    assert disappointed.status == 1
    assert "smoke: FAIL" in disappointed.printed


def test_a_run_fails_where_nobody_listens(jmeter: list[str], made: Path, tmp_path: Path) -> None:
    file = rows(tmp_path / "rows.csv", {"label": "models"}, {"label": "again"})
    found = run("smoke", Target(free_port()), tmp_path / "run", "--rows", str(file), "--burst", "0")
    assert found.status == 1
    assert "FAIL wrong_percent" in found.printed
    assert "Connection refused" in found.printed


@pytest.mark.parametrize("arguments", [["strss"], ["load", "--arrivls", "3"], []])
def test_a_wrong_option_is_no_verdict(arguments: list[str], tmp_path: Path) -> None:
    found = run(arguments[0] if arguments else "--", Target(9), tmp_path / "run", *arguments[1:])
    assert found.status == 2
    assert "usage: " in found.complaints
    assert not (tmp_path / "run").exists()
