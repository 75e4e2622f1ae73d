"""The perceptual term: zero for the perfect estimate, and in step with the real PESQ."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pesq import pesq
from scipy.signal import lfilter
from scipy.stats import spearmanr
from torch import Tensor

from inference.spectral import BINS, SAMPLING_RATE, stft
from tests.training.conftest import noise, voice
from training.losses import SPECTRUM_SCALE
from training.perceptual import BANDS, bark, disturbance

VOICE = Path(__file__).parents[1] / "data" / "voice.wav"


def powers(samples: Tensor, level: Tensor) -> Tensor:
    return (stft(samples) / (level * SPECTRUM_SCALE)).abs().square()


def lost(estimate: Tensor, clean: Tensor) -> float:
    level = clean.square().mean().sqrt()
    return float(disturbance(powers(estimate, level), powers(clean, level)))


def speech(seed: int = 1) -> Tensor:
    return torch.from_numpy(voice(seed, 3.0)[None].astype(np.float32))


def hiss(seed: int = 2) -> Tensor:
    return torch.from_numpy(noise(seed, 3.0)[None].astype(np.float32))


def test_every_bin_lies_in_the_bands_once() -> None:
    bands = bark(torch.device("cpu")).bands
    assert bands.shape == (BINS, BANDS)
    assert bands.sum(dim=1).tolist() == pytest.approx([1.0] * BINS, abs=1e-4)
    assert (bands.sum(dim=0) > 0.5).all()


def test_the_perfect_estimate_loses_nothing() -> None:
    assert lost(speech(), speech()) == pytest.approx(0, abs=5e-3)


def test_added_loudness_costs_more_than_missing_loudness() -> None:
    level = speech().square().mean().sqrt()
    clean, noisy = powers(speech(), level), powers(speech() + 0.1 * hiss(), level)
    assert disturbance(noisy, clean) > disturbance(clean, noisy) > 0.05


def test_it_orders_as_pesq_does() -> None:
    clean = torch.from_numpy(soundfile.read(VOICE, dtype="float32")[0])[None]
    level = clean.square().mean().sqrt()
    ours, theirs = [], []
    for seed in range(4):
        coloured = torch.from_numpy(
            lfilter([1], [1, -0.3 * seed], np.random.default_rng(seed).standard_normal(clean.shape))
        )
        for ratio in (1.0, 0.3, 0.1, 0.03):
            estimate = clean + (ratio * level * coloured / coloured.std()).float()
            ours.append(-lost(estimate, clean))
            theirs.append(pesq(SAMPLING_RATE, clean[0].numpy(), estimate[0].numpy(), "wb"))
    assert spearmanr(ours, theirs).statistic > 0.9


def test_gradients_are_finite_where_nothing_is_heard() -> None:
    estimate = torch.zeros(1, 40, BINS, requires_grad=True)
    disturbance(estimate, torch.zeros(1, 40, BINS)).sum().backward()
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()


def test_fewer_frames_than_a_split_second() -> None:
    power = torch.rand(2, 3, BINS)
    assert disturbance(2 * power, power).shape == (2,)
