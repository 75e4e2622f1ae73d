"""Evaluation over a folder of pairs, and the tables made of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.evaluate import main
from training.evaluation import LevelScores, Scores, by_snr, level_summary, summary
from training.pairs import find_pairs, read_mono
from training.systems import of_folder
from training.tables import table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pairs(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two mixtures of the same voice, at about 20 and 0 dB."""
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "clean").mkdir()
    (folder / "noisy").mkdir()
    voice = read_mono(clips / "voice.wav")
    level = float(np.sqrt(np.square(voice).mean()))
    for key, snr in (("a", 20), ("b", 0)):
        noise = np.random.default_rng(snr).standard_normal(len(voice)) * level * 10 ** (-snr / 20)
        soundfile.write(folder / "clean" / f"{key}.flac", voice, 16_000)
        soundfile.write(folder / "noisy" / f"{key}.wav", voice + noise, 16_000, subtype="FLOAT")
    (folder / "meta.tsv").write_text("id\tsnr\na\t20\nb\t0\n")
    return folder


def test_evaluation_of_a_model_and_of_enhanced_files(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pairs / "clean", tmp_path / "perfect")
    files = ["--json", str(tmp_path / "report.json"), "--plot", str(tmp_path / "report.png")]
    systems = ["--model", "lsa", "--models", str(ROOT / "models"), "--enhanced", str(tmp_path / "perfect")]
    main([str(pairs), *systems, "--clean", "--levels", *files])
    report = json.loads((tmp_path / "report.json").read_text())
    assert list(report) == ["unprocessed", "lsa", "perfect"]
    assert report["perfect"]["mean"]["pesq"] == pytest.approx(4.64, abs=0.01)
    assert report["unprocessed"]["mean"]["si_sdr_gain"] == 0
    assert report["unprocessed"]["by_snr"]["0"]["si_sdr"] == pytest.approx(0, abs=0.3)
    assert report["unprocessed"]["by_snr"]["20"]["si_sdr"] == pytest.approx(20, abs=0.3)
    assert report["lsa"]["by_snr"]["0"]["si_sdr_gain"] > 3
    assert report["lsa"]["clean"]["pesq"] > 3
    assert report["lsa"]["levels"]["-35"] == pytest.approx(report["lsa"]["levels"]["0"], abs=0.1)
    assert "clean" not in report["perfect"]
    assert "| perfect" in capsys.readouterr().out
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_pairs_are_matched_by_name_whatever_the_format(pairs: Path) -> None:
    assert [(pair.key, pair.snr, pair.clean.suffix) for pair in find_pairs(pairs)] == [
        ("a", 20.0, ".flac"),
        ("b", 0.0, ".flac"),
    ]


def test_incomplete_folders_are_refused(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="clean"):
        find_pairs(tmp_path)
    shutil.copytree(pairs, tmp_path / "copy")
    (tmp_path / "copy" / "clean" / "b.flac").unlink()
    with pytest.raises(ValueError, match="clean recording for b"):
        find_pairs(tmp_path / "copy")
    with pytest.raises(FileNotFoundError, match="'z'"):
        of_folder(pairs / "clean")("z", np.zeros(10, np.float32))


def test_summaries_are_means() -> None:
    scores = [Scores(key, snr, pesq, 0.5, 0.5, 1.0, 2.0) for key, snr, pesq in (("a", 0.0, 1.0), ("b", 5.0, 3.0))]
    assert summary(scores)["pesq"] == 2.0
    assert {snr: values["pesq"] for snr, values in by_snr(scores).items()} == {"0": 1.0, "5": 3.0}
    assert level_summary([LevelScores("a", -35.0, 1.0), LevelScores("b", -35.0, 2.0)]) == {"-35": 1.5}


def test_tables_are_aligned_markdown() -> None:
    assert table(["a", "long"], [["xyz", "1"]]) == "| a   | long |\n| --- | ---- |\n| xyz | 1    |"
