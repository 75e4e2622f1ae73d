"""Figures of a system over a folder of pairs: quality per mixture, harm done to clean speech, dependence on level."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.metrics import level_change, pesq, si_sdr, stoi
from training.pairs import RecordedPair, Signal, read_mono
from training.systems import System

LEVELS = (0.0, -10.0, -20.0, -35.0)  # dBFS, peak of the input
STEP = 1 / 32768  # of 16 bits: what a quiet recording is quantised to


@dataclass(frozen=True)
class Scores:
    """One mixture; `si_sdr` and its gain over the mixture in dB."""

    key: str
    snr: float | None
    pesq: float
    stoi: float
    estoi: float
    si_sdr: float
    si_sdr_gain: float


@dataclass(frozen=True)
class CleanScores:
    """Clean speech sent through: PESQ of output against input, change of level in dB."""

    key: str
    pesq: float
    level_change: float


@dataclass(frozen=True)
class LevelScores:
    """One mixture at one input level."""

    key: str
    level: float
    pesq: float


def score_pair(system: System, pair: RecordedPair) -> Scores:
    """Quality of one mixture."""
    clean, noisy = _trimmed(pair)
    enhanced = system(pair.key, noisy)
    return Scores(
        key=pair.key,
        snr=pair.snr,
        pesq=pesq(clean, enhanced),
        stoi=stoi(clean, enhanced),
        estoi=stoi(clean, enhanced, extended=True),
        si_sdr=si_sdr(clean, enhanced),
        si_sdr_gain=si_sdr(clean, enhanced) - si_sdr(clean, noisy),
    )


def score_clean(system: System, pair: RecordedPair) -> CleanScores:
    """What the system does to speech that needs no enhancement."""
    clean = read_mono(pair.clean)
    enhanced = system(pair.key, clean)
    return CleanScores(pair.key, pesq(clean, enhanced), level_change(clean, enhanced))


def score_levels(system: System, pair: RecordedPair) -> Iterator[LevelScores]:
    """The same mixture with its peak at each of LEVELS, in 16 bits."""
    clean, noisy = _trimmed(pair)
    for level in LEVELS:
        gain = 10 ** (level / 20) / max(float(np.abs(noisy).max()), STEP)
        scaled = (np.round(noisy * gain / STEP) * STEP).astype(np.float32)
        yield LevelScores(pair.key, level, pesq(clean, system(pair.key, scaled) / np.float32(gain)))


def summary(scores: list[Scores]) -> dict[str, float]:
    """Means over mixtures."""
    names = ("pesq", "stoi", "estoi", "si_sdr", "si_sdr_gain")
    return {name: round(float(np.nanmean([getattr(score, name) for score in scores])), 4) for name in names}


def by_snr(scores: list[Scores]) -> dict[str, dict[str, float]]:
    """`summary` for each SNR that occurs, lowest first."""
    snrs = sorted({score.snr for score in scores if score.snr is not None})
    return {f"{snr:g}": summary([score for score in scores if score.snr == snr]) for snr in snrs}


def clean_summary(scores: list[CleanScores]) -> dict[str, float]:
    """Mean and worst PESQ, mean and largest change of level."""
    quality = [score.pesq for score in scores]
    changes = [score.level_change for score in scores]
    return {
        "pesq": round(float(np.nanmean(quality)), 4),
        "pesq_worst": round(float(np.nanmin(quality)), 4),
        "level_change": round(float(np.mean(changes)), 4),
        "level_change_largest": round(sorted(changes, key=abs)[-1], 4),
    }


def level_summary(scores: list[LevelScores]) -> dict[str, float]:
    """Mean PESQ for each level in dBFS."""
    levels = sorted({score.level for score in scores}, reverse=True)
    return {
        f"{level:g}": round(float(np.nanmean([score.pesq for score in scores if score.level == level])), 4)
        for level in levels
    }


def as_rows(scores: list[Scores]) -> list[dict[str, Any]]:
    """Plain dictionaries, for JSON."""
    return [asdict(score) for score in scores]


def _trimmed(pair: RecordedPair) -> tuple[Signal, Signal]:
    """Clean and noisy samples, both of the length of the shorter."""
    clean, noisy = read_mono(pair.clean), read_mono(pair.noisy)
    length = min(len(clean), len(noisy))
    return clean[:length], noisy[:length]
