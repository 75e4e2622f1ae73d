"""The active speech level against the text of ITU-T P.56 and against signals of known activity."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from inference.errors import EmptyAudio
from inference.speech_level import active_speech_level
from tests.inference.files import Samples, noise

RATE = 16000


def p56(samples: np.ndarray, rate: int) -> float:
    """Method B as the recommendation writes it, sample by sample, thresholds 6 dB apart; the level in dB."""
    keep, hangover = np.exp(-1 / (rate * 0.03)), int(np.ceil(0.2 * rate))
    thresholds = [2.0**-power for power in range(1, 16)]
    counts, hanging = [0] * 15, [hangover] * 15
    average = envelope = energy = 0.0
    for sample in samples:
        energy += sample**2
        average = keep * average + (1 - keep) * abs(sample)
        envelope = keep * envelope + (1 - keep) * average
        for index, threshold in enumerate(thresholds):
            if envelope >= threshold:
                counts[index], hanging[index] = counts[index] + 1, 0
            elif hanging[index] < hangover:
                counts[index], hanging[index] = counts[index] + 1, hanging[index] + 1
    margin_below, level_below = np.inf, 0.0
    for count, threshold in reversed(list(zip(counts, thresholds, strict=True))):
        level = 10 * np.log10(energy / count)
        margin = level - 20 * np.log10(threshold)
        if margin <= 15.9:
            return float(level + (15.9 - margin) / (margin_below - margin) * (level_below - level))
        margin_below, level_below = margin, level
    raise AssertionError("no threshold fits")


def bursts(on: float, off: float, times: int = 8) -> Samples:
    """Noise switched on and off, in seconds."""
    samples = noise(round((on + off) * RATE) * times)
    samples.reshape(times, -1)[:, round(on * RATE) :] = 0
    return samples


def test_agrees_with_the_recommendation(clips: Path) -> None:
    speech, rate = soundfile.read(clips / "voice.wav", dtype="float32", always_2d=True)
    padded = np.concatenate([speech[:rate], np.zeros((3 * rate, 1), np.float32)])
    fading = noise(3 * rate) * np.float32(10) ** np.linspace(0, -3, 3 * rate, dtype=np.float32)[:, np.newaxis]
    for part in (speech, padded, bursts(1, 1, 2), noise(rate), fading):
        level = 10 * np.log10(active_speech_level(part, rate).power)
        assert level == pytest.approx(p56(part[:, 0].astype(float), rate), abs=0.1)


@pytest.mark.parametrize(("on", "off"), [(2.0, 2.0), (1.0, 3.0), (3.0, 1.0)])
def test_finds_a_known_activity(on: float, off: float) -> None:
    samples = bursts(on, off)
    level = active_speech_level(samples, RATE)
    # After a burst the envelope takes about 0.1 s to fall by 16 dB, and the hangover is 0.2 s.
    assert level.activity == pytest.approx((on + 0.3) / (on + off), abs=0.05)
    during = float(np.mean(samples[: round(on * RATE)] ** 2))
    assert 10 * np.log10(level.power / during) == pytest.approx(10 * np.log10(on / (on + 0.3)), abs=0.2)


def test_pauses_shorter_than_the_hangover_do_not_count() -> None:
    assert active_speech_level(bursts(0.3, 0.15, 20), RATE).activity > 0.98


def test_silence_around_the_speech_does_not_change_the_level(clips: Path) -> None:
    speech, rate = soundfile.read(clips / "voice.wav", dtype="float32", always_2d=True)
    silence = np.zeros((5 * rate, 1), np.float32)
    alone = active_speech_level(np.concatenate([speech, silence[: rate // 2]]), rate).power
    padded = active_speech_level(np.concatenate([silence, speech, silence]), rate).power
    assert 10 * np.log10(padded / alone) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("gain", [1e-4, 0.1, 30000])
def test_moves_exactly_with_the_gain(gain: float, clips: Path) -> None:
    speech, rate = soundfile.read(clips / "voice.wav", dtype="float32", always_2d=True)
    change = active_speech_level(speech * np.float32(gain), rate).power / active_speech_level(speech, rate).power
    assert 10 * np.log10(change) == pytest.approx(20 * np.log10(gain), abs=0.001)


@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_steady_noise_is_always_active_at_any_rate(rate: int) -> None:
    samples = noise(2 * rate)
    level = active_speech_level(samples, rate)
    assert level.activity == pytest.approx(1, abs=0.02)  # the envelope needs 25 ms to rise
    assert level.power == pytest.approx(float(np.mean(samples**2)), rel=0.02)


def test_channels_are_averaged_in_power() -> None:
    left = bursts(1, 1)
    both = np.concatenate([left, np.zeros_like(left)], axis=1)
    ratio = active_speech_level(left, RATE).power / active_speech_level(both, RATE).power
    assert ratio == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("frames", [1, 10, 1000])
def test_a_click_has_a_level(frames: int) -> None:
    samples = np.zeros((frames, 1), np.float32)
    samples[0] = 0.5
    assert 0 < active_speech_level(samples, RATE).power <= 0.25


def test_silence_has_none() -> None:
    with pytest.raises(EmptyAudio, match="sound"):
        active_speech_level(np.zeros((1000, 2), np.float32), RATE)
