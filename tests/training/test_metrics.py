"""Metrics against values that are known without them."""

from pathlib import Path

import numpy as np
import pytest

from training.metrics import level_change, pesq, si_sdr, stoi
from training.pairs import read_mono


def test_si_sdr_of_orthogonal_noise_is_the_ratio_of_energies() -> None:
    time = np.arange(16_000) / 16_000
    target = np.sin(2 * np.pi * 100 * time).astype(np.float32)
    orthogonal = np.sin(2 * np.pi * 300 * time).astype(np.float32)
    for decibels in (-10, 0, 17):
        mixture = target + 10 ** (-decibels / 20) * orthogonal
        assert si_sdr(target, mixture) == pytest.approx(decibels, abs=1e-3)
        assert si_sdr(target, 0.2 * mixture + 0.5) == pytest.approx(decibels, abs=1e-3)  # scale and offset


def test_identical_signals(clips: Path) -> None:
    voice = read_mono(clips / "voice.wav")
    assert pesq(voice, voice) == pytest.approx(4.64, abs=0.01)
    assert stoi(voice, voice) == pytest.approx(1, abs=1e-6)
    assert stoi(voice, voice, extended=True) == pytest.approx(1, abs=1e-6)
    assert si_sdr(voice, voice) > 60


def test_noise_lowers_every_score(clips: Path) -> None:
    voice = read_mono(clips / "voice.wav")
    noise = np.random.default_rng(0).standard_normal(len(voice)).astype(np.float32)
    little, much = (voice + gain * noise for gain in (0.001, 0.05))
    for score in (pesq, stoi, si_sdr):
        assert score(voice, voice) > score(voice, little) > score(voice, much)


def test_pesq_without_speech_is_no_number() -> None:
    silence = np.zeros(16_000, np.float32)
    assert np.isnan(pesq(silence, silence))


def test_level_change_in_decibels() -> None:
    signal = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    assert level_change(signal, 0.5 * signal) == pytest.approx(-6.0206, abs=1e-3)
