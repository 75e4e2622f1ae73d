"""Features of signals whose values are known."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from inference.quality import QualityMeter
from inference.speech_level import active_speech_level

RATE = 16000


def tone(decibels: float, seconds: float = 4.0, hertz: float = 1000.0, rate: int = RATE) -> NDArray[np.float32]:
    """[n, 1] with that mean square in dB of full scale."""
    wave = np.sqrt(2) * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return (10 ** (decibels / 20) * wave).astype(np.float32)[:, None]


def white(decibels: float, seconds: float = 4.0, seed: int = 0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, 10 ** (decibels / 20), int(seconds * RATE))
    return noise.astype(np.float32)[:, None]


def features(
    recording: NDArray[np.float32], answer: NDArray[np.float32] | None = None, rate: int = RATE, block: int = 160000
) -> dict[str, float]:
    meter = QualityMeter(rate, recording.shape[1], rate)
    for start in range(0, len(recording), block):
        meter.hear(recording[start : start + block])
        meter.answer((recording if answer is None else answer)[start : start + block])
    return meter.features()


@pytest.mark.parametrize("decibels", [-50, -23, -6])
def test_level_of_a_tone_with_and_without_pauses(decibels: float):
    steady = tone(decibels)
    assert features(steady)["level_dbfs"] == pytest.approx(decibels, abs=0.1)
    paused = np.concatenate([steady, np.zeros_like(steady)])
    found = features(paused)
    assert found["level_dbfs"] == pytest.approx(decibels, abs=0.5)
    assert found["silence_ratio"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("clip", ["voice.wav", "noisy.wav", "noisy_48k_stereo.flac"])
def test_level_is_that_of_the_recommendation(clips: Path, clip: str):
    samples, rate = soundfile.read(clips / clip, dtype="float32", always_2d=True)
    exact = 10 * np.log10(active_speech_level(samples, rate).power)
    assert features(samples, rate=rate)["level_dbfs"] == pytest.approx(exact, abs=0.5)


@pytest.mark.parametrize("snr", [-5.0, 0.0, 10.0, 20.0])
def test_snr_where_the_answer_is_the_speech(snr: float):
    speech, noise = tone(-20), white(-20 - snr)
    found = features(speech + noise, speech)
    assert found["snr_db"] == pytest.approx(snr, abs=1)  # speech and noise are never quite uncorrelated


def test_snr_has_ends():
    assert features(tone(-20), tone(-20))["snr_db"] == 50
    assert features(tone(-20), 0 * tone(-20))["snr_db"] == -20


def test_noise_removed():
    speech = np.concatenate([tone(-20, 2.0), 0 * tone(-20, 2.0)])
    noise = white(-40)
    assert features(speech + noise, speech + 0.1 * noise)["noise_removed_db"] == pytest.approx(20, abs=1)
    assert features(speech, speech + noise)["noise_removed_db"] == 0


def test_clipping_is_counted_in_samples():
    samples = tone(-20)
    samples[10:50] = 1.0
    samples[60:70] = -1.0
    samples[128:256] = 1.0  # the half of a frame that is not looked at
    assert features(samples)["clipped_ratio"] == pytest.approx(2 * 50 / len(samples), rel=0.01)
    assert features(np.float32(0.99) * samples)["clipped_ratio"] == 0


@pytest.mark.parametrize(("hertz", "rate"), [(300, 16000), (3400, 16000), (7000, 16000), (15000, 48000)])
def test_bandwidth_of_tones(hertz: float, rate: int):
    samples = tone(-20, 2.0, 200, rate) + tone(-20, 2.0, hertz, rate)
    assert features(samples, rate=rate)["bandwidth_hz"] == pytest.approx(hertz, abs=2 * rate / 512)


def test_duration_and_silence():
    found = features(np.zeros((8000, 2), np.float32))
    assert (found["duration_s"], found["silence_ratio"], found["bandwidth_hz"]) == (0.5, 1.0, 0.0)
    assert found["level_dbfs"] == -100
    assert all(np.isfinite(value) for value in found.values())


def test_a_recording_shorter_than_a_frame_is_no_error():
    assert np.isfinite(list(features(tone(-20, 0.01)).values())).all()


def test_blocks_do_not_matter(clips: Path):
    samples, _ = soundfile.read(clips / "noisy.wav", dtype="float32", always_2d=True)
    whole, parts = features(samples), features(samples, block=16384)
    for name in ("level_dbfs", "snr_db", "clipped_ratio", "silence_ratio", "noise_removed_db", "duration_s"):
        assert parts[name] == pytest.approx(whole[name], abs=0.05 if name != "noise_removed_db" else 1), name
    assert parts["bandwidth_hz"] == pytest.approx(whole["bandwidth_hz"], rel=0.2)


def test_channels_are_averaged_as_powers():
    both = np.concatenate([tone(-20), -tone(-20)], axis=1)  # their sum is silence
    assert features(both)["level_dbfs"] == pytest.approx(-20, abs=0.1)
    assert features(both)["bandwidth_hz"] == pytest.approx(1000, abs=70)


def test_memory_does_not_grow_with_length():
    meter = QualityMeter(RATE, 1, RATE)
    block = white(-30, 10.0)
    sizes = []
    for _ in range(3):
        meter.hear(block)
        meter.answer(block)
        sizes.append(len(pickle.dumps(meter)))
    assert max(sizes) < 10_000
