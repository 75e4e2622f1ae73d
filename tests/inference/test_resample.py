"""StreamResampler: exact length, no delay, no aliases, however the stream is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.resample import StreamResampler, resampled_length
from tests.inference.files import Samples, noise, tones

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000, 8001, 44101)


def resampled(samples: Samples, rate_in: int, rate_out: int, cuts: list[int] | None = None) -> Samples:
    resampler = StreamResampler(rate_in, rate_out, samples.shape[1])
    blocks = [resampler.feed(block) for block in np.split(samples, sorted(cuts or []))]
    return np.concatenate([*blocks, resampler.flush()])


@pytest.mark.parametrize(
    ("frames", "rate_in", "rate_out", "expected"),
    [
        (0, 44100, 16000, 0),
        (1, 44100, 16000, 0),  # 0.36
        (2, 44100, 16000, 1),  # 0.73
        (1, 32000, 16000, 1),  # half upwards
        (3, 32000, 16000, 2),
        (44100, 44100, 16000, 16000),
        (44101, 44100, 16000, 16000),
        (801, 16000, 48000, 2403),
        (2**40, 48000, 16000, 366503875925),  # beyond what a double-precision division of hours could lose
    ],
)
def test_length_rounds_to_the_nearest(frames: int, rate_in: int, rate_out: int, expected: int) -> None:
    assert resampled_length(frames, rate_in, rate_out) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(RATES),
    st.sampled_from(RATES),
    st.integers(0, 3000),
    st.integers(1, 3),
    st.lists(st.integers(0, 3000), max_size=12),
)
def test_any_cuts_give_the_same_at_the_exact_length(
    rate_in: int, rate_out: int, frames: int, channels: int, cuts: list[int]
) -> None:
    samples = noise(frames, channels)
    whole = resampled(samples, rate_in, rate_out)
    assert whole.shape == (resampled_length(frames, rate_in, rate_out), channels)
    assert whole.dtype == np.float32
    cut = resampled(samples, rate_in, rate_out, [min(place, frames) for place in cuts])
    assert cut.shape == whole.shape
    assert np.max(np.abs(cut - whole), initial=0) < 1e-6


@pytest.mark.parametrize("rate_in", [8000, 44100, 48000, 192000])
@pytest.mark.parametrize("rate_out", [8000, 16000, 44100])
def test_is_the_same_signal_at_the_same_instants(rate_in: int, rate_out: int) -> None:
    got = resampled(tones(rate_in, rate_in, 2), rate_in, rate_out)
    expected = tones(rate_out, rate_out, 2)
    inner = slice(rate_out // 10, -rate_out // 10)  # beyond the ends the signal is cut off, which rings
    assert np.max(np.abs(got[inner] - expected[inner])) < 2e-4


@pytest.mark.parametrize("rate_out", [22050, 44100, 88200])
def test_the_last_frame_is_computed_and_not_made_up(rate_out: int) -> None:
    for frames in (30, 60, 90, 120, 200):  # among them halves, where soxr itself rounds downwards
        got = resampled(np.ones((frames, 1), np.float32), 12000, rate_out)
        assert len(got) == resampled_length(frames, 12000, rate_out)
        assert abs(got[-1, 0]) > 0.05


def test_channels_stay_apart() -> None:
    samples = noise(4410, 3)
    samples[:, 1] = 0
    got = resampled(samples, 44100, 16000)
    assert np.all(got[:, 1] == 0)
    for channel in (0, 2):
        assert np.array_equal(got[:, [channel]], resampled(samples[:, [channel]], 44100, 16000))


def test_nothing_is_folded_back() -> None:
    time = np.arange(48000)[:, np.newaxis] / 48000
    got = resampled(np.sin(2 * np.pi * 11000 * time).astype(np.float32), 48000, 16000)
    assert np.max(np.abs(got[800:-800])) < 1e-4


def test_equal_rates_pass_through() -> None:
    samples = noise(1000, 2)
    resampler = StreamResampler(16000, 16000, 2)
    assert resampler.feed(samples) is samples
    assert resampler.flush().shape == (0, 2)


def test_a_cut_out_view_is_taken() -> None:
    samples = noise(9000, 4)
    view = samples[::3, ::2]
    assert np.array_equal(resampled(view, 48000, 16000), resampled(view.copy(), 48000, 16000))
