"""What the commands in the documents need to be executed: recordings, small folders of material, smaller budgets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from tests.inference.model_packages import as_tar, package
from tests.servers import ROOT
from tests.training.conftest import RATE, noise, voice


def recordings(folder: Path) -> None:
    """The recordings that docs/api.md sends."""
    (folder / "noisy.wav").write_bytes((ROOT / "tests" / "data" / "noisy.wav").read_bytes())
    soundfile.write(folder / "hour.wav", noise(1, 25.0), RATE)
    soundfile.write(folder / "meeting.flac", noise(2, 5.0), RATE)


def corpora(folder: Path) -> None:
    """The folders that docs/training.md trains on and measures with: a few seconds of each."""
    speech = ["train-clean-100/speaker-a", "train-clean-100/speaker-b", "dev-clean/speaker-c"]
    for seed, name in enumerate(speech):
        _written(folder / "LibriSpeech" / name / "1.flac", voice(seed, 4.0))
    for seed, name in enumerate(("train/wind", "train/street", "valid/rain")):
        _written(folder / "DEMAND" / name / "1.wav", noise(seed, 3.0))
    response = np.exp(-np.arange(4000) / 600.0) * np.random.default_rng(3).standard_normal(4000)
    _written(folder / "RIRS" / "hall.wav", 0.2 * response)
    clean, rate = soundfile.read(ROOT / "tests" / "data" / "voice.wav")
    _written(folder / "PAIRS" / "clean" / "a.wav", clean, rate)
    _written(folder / "PAIRS" / "noisy" / "a.wav", clean + 0.2 * noise(4, len(clean) / rate, rate), rate)
    (folder / "PAIRS" / "meta.tsv").write_text("id\tsnr\na\t5\n")


def newer_model(folder: Path) -> None:
    """The package that docs/operations.md takes in."""
    as_tar(package("newer"), folder / "newer.tar")


def _written(file: Path, samples: np.ndarray, rate: int = RATE) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, samples, rate)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How a document is tried: `instead` has words of its commands, and what stands for them here."""

    material: Callable[[Path], None] = lambda folder: None
    instead: dict[str, str] = field(default_factory=dict)
    copied: tuple[str, ...] = ()  # folders of the repository that its commands write to


SMALL = "--seconds 1 --simulated-rooms 2 --cache cache"
TRIALS = {
    "docs/api.md": Trial(material=recordings, instead={"| aplay": ">heard.wav"}),
    "docs/operations.md": Trial(
        material=newer_model,
        # Nothing is installed. The command finds the models beside its own file.
        instead={"make models": "make --old-file=.venv/.run models", "promote KEY": "promote newer"},
        copied=("inference", "models"),
    ),
    "docs/security.md": Trial(instead={"/etc/hush/keys": "keys"}),
    "docs/training.md": Trial(
        material=corpora,
        instead={
            "--minutes 240": f"--steps 4 --batch 2 --validate-every 0.0001 --validation-items 4 --workers 0 {SMALL}",
            "--min-speech-snr 32": f"--min-speech-snr 32 --mixtures 4 {SMALL}",
        },
        copied=("models",),
    ),
}
