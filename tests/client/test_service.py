"""The client against the real server."""

import shutil
from pathlib import Path

import pytest
import requests

from client import Hush, Options, Refused
from client.__main__ import main
from tests.api.recordings import decoded, encoded, noise


@pytest.fixture
def folder(tmp_path: Path, clips: Path) -> Path:
    """Two recordings, one in a folder below, and a file that is none."""
    made = tmp_path / "in"
    (made / "sub").mkdir(parents=True)
    shutil.copy(clips / "noisy.wav", made / "a.wav")
    (made / "sub" / "b.flac").write_bytes(encoded(noise(0.5), container="FLAC"))
    (made / "notes.txt").write_text("no recording")
    return made


def test_the_library_gives_what_the_service_gives(server: str, clips: Path):
    recording = clips / "noisy.wav"
    direct = requests.post(f"{server}/predict", data=recording.read_bytes(), timeout=60).content
    assert Hush(server).enhance(recording) == direct
    assert Hush(server + "/").enhance(str(recording), Options(format="flac"))[:4] == b"fLaC"
    assert {model["key"] for model in Hush(server).models()} >= {"lsa", "dae"}
    with pytest.raises(Refused, match="400: The file") as caught:
        Hush(server).enhance(Path(__file__))
    assert caught.value.problem["type"] == "urn:hush:problem:not-audio"


def test_a_folder_is_done_once(server: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    command = [str(folder), "--url", server, "--out", str(out), "--model", "dae", "--parallel", "2"]
    assert main(command) == 0
    assert capsys.readouterr().out == "2 recordings: 2 enhanced, 0 skipped, 0 failed\n"
    answers = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert answers == ["a.wav", "sub/b.wav"]
    assert len(decoded((out / "sub" / "b.wav").read_bytes())[0]) == 8000
    (out / "a.wav").write_bytes(b"mine")
    assert main(command) == 0
    assert capsys.readouterr().out == "2 recordings: 0 enhanced, 2 skipped, 0 failed\n"
    assert (out / "a.wav").read_bytes() == b"mine"
    assert main([*command, "--overwrite"]) == 0
    assert decoded((out / "a.wav").read_bytes())[1] == 16000


def test_one_bad_recording_does_not_stop_the_others(
    server: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "bad.wav").write_bytes(b"not audio")
    assert main([str(folder), "--url", server, "--out", str(tmp_path / "out"), "--model", "lsa"]) == 1
    said = capsys.readouterr()
    assert said.out == "3 recordings: 2 enhanced, 0 skipped, 1 failed\n"
    assert "bad.wav: 400: The file cannot be decoded" in said.err
    assert not list((tmp_path / "out").glob("*bad*"))
