"""The STFT against scipy's and against itself: exact round trip, any length, any cuts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from inference.spectral import (
    BINS,
    HOP,
    SAMPLING_RATE,
    WINDOW,
    Analysis,
    Synthesis,
    frame_count,
    istft,
    sqrt_hann,
    stft,
)


def noise(samples: int, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, samples, generator=torch.Generator().manual_seed(samples))


def test_squared_windows_add_up_to_one() -> None:
    squared = sqrt_hann().square()
    torch.testing.assert_close(squared[:HOP] + squared[HOP:], torch.ones(HOP))


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 511, 512, 513, 801, 16_000, 48_123])
def test_round_trip_is_exact(samples: int) -> None:
    original = noise(samples, batch=2)
    torch.testing.assert_close(istft(stft(original), samples), original, rtol=0, atol=2e-6)


@pytest.mark.parametrize("samples", [1, 256, 801, 4000])
def test_shape(samples: int) -> None:
    assert stft(noise(samples, batch=3)).shape == (3, frame_count(samples), BINS)


def test_agrees_with_scipy() -> None:
    original = noise(HOP * 40)
    window = np.sqrt(signal.get_window("hann", WINDOW))
    transform = signal.ShortTimeFFT(window, HOP, SAMPLING_RATE, phase_shift=None)
    reference = transform.stft(original[0].numpy(), p0=0, p1=41)
    torch.testing.assert_close(stft(original)[0], torch.from_numpy(reference.T).to(torch.complex64), rtol=0, atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=8))
def test_streaming_equals_whole_however_it_is_cut(sizes: list[int]) -> None:
    original = noise(sum(sizes) + 1, batch=2)
    analysis, synthesis = Analysis(2), Synthesis(2)
    pieces = [analysis.feed(piece) for piece in original.split([*sizes, 1], dim=1)] + [analysis.flush()]
    samples = torch.cat([synthesis.feed(piece) for piece in pieces], dim=1)
    torch.testing.assert_close(torch.cat(pieces, dim=1), stft(original))
    torch.testing.assert_close(samples[:, : original.shape[1]], original, rtol=0, atol=2e-6)


def test_gradients_flow_through_both_directions() -> None:
    original = noise(1000).requires_grad_()
    istft(stft(original) * 2.0, 1000).sum().backward()
    torch.testing.assert_close(original.grad, torch.full((1, 1000), 2.0), rtol=0, atol=1e-5)
