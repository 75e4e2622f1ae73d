"""The intelligibility term: zero for the perfect estimate, and in step with the real ESTOI."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import lfilter
from scipy.stats import spearmanr
from torch import Tensor

from inference.spectral import BINS, stft
from training.intelligibility import BANDS, SEGMENT, missed, third_octaves
from training.losses import SPECTRUM_SCALE
from training.metrics import stoi

VOICE = Path(__file__).parents[1] / "data" / "voice.wav"


def powers(samples: Tensor, level: Tensor) -> Tensor:
    return (stft(samples) / (level * SPECTRUM_SCALE)).abs().square()


def test_bands_lie_side_by_side() -> None:
    bands = third_octaves(torch.device("cpu"))
    assert bands.shape == (BINS, BANDS)
    assert (bands.sum(dim=0) > 0).all()  # none is narrower than a bin
    assert bands.sum(dim=1).max() == 1


def test_the_perfect_estimate_misses_nothing_and_its_level_does_not_count() -> None:
    target = torch.rand(3, 60, BINS, generator=torch.Generator().manual_seed(1))
    assert missed(target, target).tolist() == pytest.approx([0.0] * 3, abs=1e-3)
    assert missed(0.1 * target, target).tolist() == pytest.approx([0.0] * 3, abs=1e-3)


def test_noise_alone_misses_nearly_everything() -> None:
    generator = torch.Generator().manual_seed(2)
    noise, target = (torch.rand(4, 200, BINS, generator=generator) for _ in range(2))
    assert missed(noise, target).min() > 0.9


def test_it_orders_as_estoi_does() -> None:
    clean = torch.from_numpy(soundfile.read(VOICE, dtype="float32")[0])[None]
    level = clean.square().mean().sqrt()
    ours, theirs = [], []
    for seed in range(4):
        hiss = np.random.default_rng(seed).standard_normal(clean.shape)
        coloured = torch.from_numpy(lfilter([1], [1, -0.3 * seed], hiss))
        for ratio in (3.0, 1.0, 0.3, 0.1):
            estimate = clean + (ratio * level * coloured / coloured.std()).float()
            ours.append(1 - float(missed(powers(estimate, level), powers(clean, level))))
            theirs.append(stoi(clean[0].numpy(), estimate[0].numpy(), extended=True))
    assert spearmanr(ours, theirs).statistic > 0.95


def test_silent_stretches_of_the_target_do_not_count() -> None:
    target = torch.rand(1, 20 * SEGMENT, BINS, generator=torch.Generator().manual_seed(3))
    target[:, 10 * SEGMENT :] = 0
    estimate = target.clone()
    estimate[:, 12 * SEGMENT :] += 1e-5 * torch.rand(1, 8 * SEGMENT, BINS)
    assert float(missed(estimate, target)) < 0.01


def test_gradients_are_finite_where_nothing_is_heard() -> None:
    estimate = torch.zeros(1, 40, BINS, requires_grad=True)
    missed(estimate, torch.zeros(1, 40, BINS)).sum().backward()
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()


def test_fewer_frames_than_a_segment_miss_nothing() -> None:
    power = torch.rand(2, SEGMENT - 1, BINS)
    assert missed(2 * power, power).tolist() == [0, 0]
