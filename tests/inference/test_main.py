"""`python -m inference` as its users call it."""

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inference", *map(str, arguments), "--model", "lsa"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_enhances_a_file(clips: Path, tmp_path: Path) -> None:
    target = tmp_path / "clean.wav"
    done = call(clips / "noisy_48k_stereo.flac", target)
    assert done.returncode == 0, done.stderr
    source, answer = soundfile.info(clips / "noisy_48k_stereo.flac"), soundfile.info(target)
    assert (answer.frames, answer.channels, answer.samplerate) == (source.frames, source.channels, source.samplerate)
    assert "noisy_48k_stereo.flac" in done.stderr  # the progress bar
    assert list(tmp_path.iterdir()) == [target]


def test_enhances_a_folder_and_goes_on_after_a_bad_file(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    (folder / "noisy.wav").write_bytes((clips / "noisy.wav").read_bytes())
    (folder / "broken.wav").write_bytes(b"RIFF nonsense")
    done = call(tmp_path / "in", tmp_path / "out", "--format", "flac", "--sample-rate", "model")
    assert done.returncode == 1
    assert "broken.wav" in done.stderr
    written = [path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert written == [Path("deep/noisy.flac")]


def test_format_follows_the_name(clips: Path, tmp_path: Path) -> None:
    assert call(clips / "noisy.wav", tmp_path / "clean.ogg", "--attenuation-limit-db", "12").returncode == 0
    assert soundfile.info(tmp_path / "clean.ogg").format == "OGG"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent.wav", "out.wav"), "there is no absent.wav"),
        (("docs", "out"), "no recording"),
        (("tests/data/voice.wav", "out.wav", "--models", "docs"), "hyperparams.json"),
    ],
)
def test_wrong_calls_say_what_is_wrong(arguments: tuple[str, ...], message: str) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
