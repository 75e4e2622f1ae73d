"""Known values of the loss."""

import math

import pytest
import torch
from torch import Tensor

from inference.spectral import stft
from training.losses import (
    BEST_RATIO,
    LossParts,
    LossWeights,
    compressed,
    enhancement_loss,
    error_ratio,
    normalising_gain,
)


def speech(seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(seed))


def loss(estimate: Tensor, clean: Tensor, noisy: Tensor | None = None) -> LossParts:
    gain = normalising_gain(clean, clean if noisy is None else noisy)
    return enhancement_loss(stft(estimate), stft(clean), estimate, clean, gain, LossWeights())


def test_the_perfect_estimate() -> None:
    parts = loss(speech(), speech())
    assert parts.magnitude == pytest.approx(0, abs=1e-9)
    assert parts.complex == pytest.approx(0, abs=1e-9)
    assert parts.waveform == pytest.approx(math.log10(BEST_RATIO), abs=1e-3)
    assert parts.total == pytest.approx(0.08 * -4, abs=1e-3)


def test_compression_keeps_the_phase_and_takes_the_root() -> None:
    magnitude, real, imaginary = compressed(torch.tensor([3.0, 0.0]), torch.tensor([-4.0, 0.0]))
    assert magnitude[0] == pytest.approx(5**0.3, rel=1e-4)
    assert real[0] / imaginary[0] == pytest.approx(-3 / 4, rel=1e-4)
    assert torch.hypot(real[0], imaginary[0]) == pytest.approx(5**0.3, rel=1e-4)
    assert real[1] == imaginary[1] == 0


def test_a_wrong_sign_costs_the_complex_part_only() -> None:
    parts = loss(-speech(), speech())
    assert parts.magnitude == pytest.approx(0, abs=1e-9)
    magnitude = compressed(stft(speech()).real / 1.6, stft(speech()).imag / 1.6)[0]
    assert parts.complex == pytest.approx(float(4 * magnitude.square().mean()), rel=1e-2)
    assert parts.waveform == pytest.approx(math.log10(4), abs=1e-3)


def test_error_ratio_counts_decades() -> None:
    clean = speech()
    assert error_ratio(1.1 * clean, clean).tolist() == pytest.approx([math.log10(0.01 + BEST_RATIO)] * 2, abs=1e-4)
    assert error_ratio(torch.zeros_like(clean), clean).tolist() == pytest.approx([0, 0], abs=1e-3)


def test_loudness_does_not_matter() -> None:
    quiet, loud = (loss(gain * (speech() + 0.3 * speech(1)), gain * speech()) for gain in (0.01, 3.0))
    assert quiet.total == pytest.approx(float(loud.total), rel=1e-3)


def test_items_without_speech_have_no_waveform_term() -> None:
    clean = speech()
    clean[1] = 0
    both = loss(clean + 0.1 * speech(1), clean, speech(1))
    first = loss(clean[:1] + 0.1 * speech(1)[:1], clean[:1])
    assert both.waveform == pytest.approx(float(first.waveform), rel=1e-4)
    silent = loss(0.1 * speech(1), torch.zeros(2, 8000), speech(1))
    assert silent.waveform == 0
    assert silent.total > 0


def test_gradients_are_finite_in_silence() -> None:
    estimate = torch.zeros(2, 8000, requires_grad=True)
    loss(estimate, torch.zeros(2, 8000), speech()).total.backward()
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()
