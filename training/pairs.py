"""Folders of pairs: PAIRS/clean/ID.* beside PAIRS/noisy/ID.*, and optionally PAIRS/meta.tsv with columns id and snr."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from inference.spectral import SAMPLING_RATE

Signal = NDArray[np.float32]


@dataclass(frozen=True)
class RecordedPair:
    """A noisy recording and its clean reference; `snr` in dB, None where meta.tsv does not tell."""

    key: str
    clean: Path
    noisy: Path
    snr: float | None


def read_mono(file: Path) -> Signal:
    """Samples [n] at SAMPLING_RATE; channels are averaged."""
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, SAMPLING_RATE), np.float32)


def recordings(folder: Path) -> dict[str, Path]:
    """Files of a folder by their name without extension; FileNotFoundError when there is no such folder."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    return {file.stem: file for file in sorted(folder.iterdir()) if file.is_file()}


def find_pairs(folder: Path) -> list[RecordedPair]:
    """All pairs of `folder`, by key. Raises ValueError when a noisy file has no clean one, or there are none."""
    clean, noisy, snrs = recordings(folder / "clean"), recordings(folder / "noisy"), _snrs(folder / "meta.tsv")
    if not noisy:
        raise ValueError(f"no recording in {folder / 'noisy'}")
    if lonely := sorted(noisy.keys() - clean.keys()):
        raise ValueError(f"no clean recording for {', '.join(lonely[:5])}")
    return [RecordedPair(key, clean[key], noisy[key], snrs.get(key)) for key in sorted(noisy)]


def _snrs(file: Path) -> dict[str, float]:
    if not file.exists():
        return {}
    with file.open(newline="", encoding="utf-8") as stream:
        return {row["id"]: float(row["snr"]) for row in csv.DictReader(stream, delimiter="\t")}
