"""The check that a bake ends with, against a real server and against what it must find."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.programs import ROOT


def check(url: str, recording: Path, models: Path = ROOT / "models") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "packer.instance.check_service", url, str(recording), str(models)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    pytest.importorskip("torch", reason="torch is not installed in this environment")
    return str(request.getfixturevalue("server"))


def test_a_good_service_passes(url: str, clips: Path) -> None:
    done = check(url, clips / "noisy.wav")
    assert done.returncode == 0, done.stderr
    assert all(key in done.stdout for key in json.loads((ROOT / "models" / "hyperparams.json").read_text()))


def test_another_hash_is_found(url: str, clips: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models", models)
    weights = next(path for path in models.glob("*.safetensors") if ".example." not in path.name)
    weights.write_bytes(weights.read_bytes() + b" ")
    done = check(url, clips / "noisy.wav", models)
    assert done.returncode == 1
    assert f"model {weights.stem}" in done.stderr


def test_a_missing_model_is_found(url: str, clips: Path, tmp_path: Path) -> None:
    index = json.loads((ROOT / "models" / "hyperparams.json").read_text())
    (tmp_path / "hyperparams.json").write_text(json.dumps(index | {"new": next(iter(index.values()))}))
    done = check(url, clips / "noisy.wav", tmp_path)
    assert done.returncode == 1
    assert "the service lists" in done.stderr


def test_nobody_there(clips: Path) -> None:
    done = check("http://127.0.0.1:9", clips / "noisy.wav")
    assert done.returncode == 1
    assert "check_service: " in done.stderr
