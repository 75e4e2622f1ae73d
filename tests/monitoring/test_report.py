"""The report of a real server's log; and the index that rises when unusually quiet recordings are posted."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from inference.drift import DIFFERENT, FEATURES, MINIMUM, load_reference, make_reference, reference_file
from monitoring.report import main
from tests.api.recordings import encoded
from tests.api.test_metrics import scraped
from tests.servers import ROOT, start_gunicorn, wait_for

WAV = {"Content-Type": "audio/wav"}
GENERATOR = np.random.default_rng(0)
PSI = 'hush_quality_psi{feature="level_dbfs",model="lsa"}'


def voice_like(decibels: float) -> bytes:
    """A tenth of a second of noise at that level."""
    return encoded((10 ** (decibels / 20) * GENERATOR.standard_normal((1600, 1))).astype(np.float32))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The classical model alone, which is quick, with a reference whose levels lie around -25 dBFS."""
    folder = tmp_path / "models"
    folder.mkdir()
    entries = json.loads((ROOT / "models" / "hyperparams.json").read_text())
    (folder / "hyperparams.json").write_text(json.dumps({"lsa": {**entries["lsa"], "labels": ["production"]}}))
    measured = [{"level_dbfs": float(level)} for level in np.random.default_rng(1).normal(-25, 3, 2000)]
    made = make_reference(entries["lsa"]["version"], "known levels", measured, ["level_dbfs"])
    reference_file(folder, "lsa").write_text(json.dumps(made))
    return folder


def test_quiet_recordings_raise_the_index_and_the_report_says_so(tmp_path: Path, models: Path):
    with (
        start_gunicorn(tmp_path, HUSH_MODELS_DIR=str(models), HUSH_ACCESS_LOG="true", HUSH_QUALITY_SHARE="1") as server,
        requests.Session() as session,
    ):
        session.headers["X-Request-Id"] = "from-the-gateway"

        def post(level: float) -> None:
            audio = voice_like(level)
            assert session.post(f"{server.url}/predict", data=audio, headers=WAV, timeout=30).status_code == 200

        for level in GENERATOR.normal(-25, 3, MINIMUM - 1):
            post(level)
        assert PSI not in scraped(server)  # too few to tell
        post(-25)
        usual = wait_for(lambda: scraped(server).get(PSI), 10, "an index")
        for level in GENERATOR.normal(-50, 3, MINIMUM // 2):
            post(level)
        quiet = scraped(server)[PSI]
        assert usual < 0.15
        assert quiet > max(DIFFERENT, 3 * usual)
        assert session.post(f"{server.url}/predict?token=geheim", data=b"x", headers=WAV, timeout=30).status_code == 400
        log = server.log
    assert "geheim" not in log  # no query value is logged
    first = next(json.loads(text) for text in log.splitlines() if '"/predict"' in text)
    assert first["request_id"] == "from-the-gateway"
    assert (first["status"], first["model"], first["bytes"], first["audio_seconds"]) == (200, "lsa", 3244, 0.1)
    assert set(first["stages"]) == {"parse", "queue", "decode", "enhance", "encode"}
    assert sum(first["stages"].values()) <= first["seconds"]
    assert set(first["features"]) == set(FEATURES)
    packed = tmp_path / "hush.log.2.gz"
    packed.write_bytes(gzip.compress(log.encode()))
    again = tmp_path / "reference.json"
    assert (
        main([str(packed), "--models", str(models), "--out", str(tmp_path / "out"), "--reference-out", str(again)]) == 0
    )
    report = (tmp_path / "out" / "report.md").read_text()
    assert "| /predict | 200 | 300 |" in report
    assert "| /predict | 400 | 1 |" in report
    assert "1 invalid-query" in report
    row = next(line for line in report.splitlines() if line.startswith("| active speech level"))
    assert float(row.split("|")[5]) == pytest.approx(quiet, abs=0.01)
    assert "different" in row
    for name in ("features.png", "day.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    assert set(load_reference(again).shares) == set(FEATURES)


def lines() -> list[dict[str, Any]]:
    common = {"message": "request", "route": "/predict", "seconds": 0.1, "model": "m", "model_version": "1"}
    return [{**common, "time": f"2026-01-01T0{hour}:00:00Z", "status": 200} for hour in range(3)]


def test_a_log_with_other_lines_is_read(tmp_path: Path):
    log = tmp_path / "hush.log"
    others = ["[2026-01-01] [INFO] Booting worker", '{"message": "something else"}', '{"message": "requ', "{}", "[1]"]
    log.write_text("\n".join([*others, *map(json.dumps, lines())]))
    assert main([str(log), "--out", str(tmp_path)]) == 0
    assert "| /predict | 200 | 3 |" in (tmp_path / "report.md").read_text()


def test_nothing_to_report_is_said(tmp_path: Path):
    log = tmp_path / "empty.log"
    log.write_text("nothing\n")
    for files, words in (([str(log)], "HUSH_ACCESS_LOG"), ([str(tmp_path / "none")], "none")):
        command = [sys.executable, "-m", "monitoring.report", *files, "--out", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False)
