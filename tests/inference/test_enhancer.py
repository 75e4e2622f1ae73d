"""The signal rules, for every model in the models folder: length, alignment, channels, level, silence, blocks."""

from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from inference.enhancer import Enhancer, enhance
from inference.errors import AudioTooShort
from inference.precision import native_bf16
from inference.resample import resampled_length
from inference.samples import Samples
from inference.store import Model, load_store

ROOT = Path(__file__).resolve().parents[2]
STORES = {precision: load_store(ROOT / "models", precision=precision) for precision in ("fp32", "bf16")}
STORE = STORES["fp32"]
TRAINED = sorted(key for key, model in STORE.models.items() if model.parameters)
VOICE, RATE = soundfile.read(ROOT / "tests/data/voice.wav", dtype="float32", always_2d=True)


@pytest.fixture(params=[*((key, "fp32") for key in sorted(STORE.models)), *((key, "bf16") for key in TRAINED)], ids=str)
def model(request: pytest.FixtureRequest) -> Model:
    key, precision = request.param
    if precision == "bf16" and not native_bf16():
        pytest.skip("this processor emulates bfloat16")
    return STORES[precision].models[key]


def uses_bf16(model: Model) -> bool:
    return any(parameter.dtype == torch.bfloat16 for parameter in model.network.parameters())


def run(model: Model, samples: Samples, rate: int = RATE, cuts: int | None = None, **options: float) -> Samples:
    enhancer = Enhancer(model, rate=rate, channels=samples.shape[1], **options)  # type: ignore[arg-type]
    step = cuts or max(len(samples), 1)
    blocks = [enhancer.feed(samples[start : start + step]) for start in range(0, len(samples), step)]
    return np.concatenate([*blocks, enhancer.flush()])


def noise(frames: int) -> Samples:
    """White noise of one channel."""
    return (0.1 * np.random.default_rng(frames).standard_normal((frames, 1))).astype(np.float32)


def noisy_voice(rate: int = RATE, channels: int = 1, seconds: float = 2.0, snr_db: float = 15.0) -> Samples:
    """The project's clip at another rate, another shift for each channel, with white noise."""
    voice = signal.resample_poly(VOICE[:, 0], rate, RATE)
    frames = int(seconds * rate)
    shifted = np.stack([np.roll(voice, channel * rate // 7)[:frames] for channel in range(channels)], axis=1)
    noise = np.random.default_rng(5).standard_normal(shifted.shape) * shifted.std() * 10 ** (-snr_db / 20)
    return (shifted + noise).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("frames", [1, 801, 4099])
def test_length_is_exact(model: Model, rate: int, frames: int) -> None:
    samples = noisy_voice(rate, channels=2)[:frames]
    assert run(model, samples, rate).shape == (frames, 2)


@pytest.mark.parametrize(("rate", "output_rate"), [(8000, 16000), (44100, 16000), (16000, 48000), (48000, 16000)])
def test_length_at_another_rate(model: Model, rate: int, output_rate: int) -> None:
    samples = noisy_voice(rate)[:12347]
    answer = run(model, samples, rate, output_rate=output_rate)
    assert len(answer) == resampled_length(12347, rate, output_rate)


RATES = st.one_of(st.sampled_from([8000, 16000, 22050, 44100, 48000, 96000, 192000]), st.integers(8000, 192000))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rate=RATES, output_rate=RATES, frames=st.integers(0, 5000))
def test_length_for_any_rates(rate: int, output_rate: int, frames: int) -> None:
    answer = run(STORE.models["dae"], noise(frames), rate, output_rate=output_rate)
    assert len(answer) == resampled_length(frames, rate, output_rate)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_no_delay(model: Model, rate: int) -> None:
    samples = noisy_voice(rate)
    answer = run(model, samples, rate)
    correlation = signal.correlate(answer[:, 0], samples[:, 0], mode="full")
    lags = signal.correlation_lags(len(answer), len(samples), mode="full")
    assert lags[np.argmax(correlation)] == 0


def test_channels_are_enhanced_apart(model: Model) -> None:
    samples = noisy_voice(channels=3)
    alone = [run(model, samples[:, [channel]]) for channel in range(3)]
    # A batch of another size is rounded elsewhere by the matrix products; leakage would be as large as the signal.
    rounding = 1e-3 if uses_bf16(model) else 1e-4
    np.testing.assert_allclose(run(model, samples), np.concatenate(alone, axis=1), atol=rounding)


def test_silent_channel_stays_silent_beside_a_loud_one(model: Model) -> None:
    samples = noisy_voice(channels=2)
    samples[:, 1] = 0.0
    assert np.abs(run(model, samples)[:, 1]).max() == 0.0


@pytest.mark.parametrize("rate", [16000, 44100])
def test_silence_in_silence_out(model: Model, rate: int) -> None:
    assert np.abs(run(model, np.zeros((rate + 17, 1), np.float32), rate)).max() == 0.0


@pytest.mark.parametrize("cuts", [1013, 160, 16001])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_blocks_equal_whole(model: Model, rate: int, cuts: int) -> None:
    samples = noisy_voice(rate, channels=2)
    np.testing.assert_allclose(run(model, samples, rate, cuts), run(model, samples, rate), atol=1e-4)


def test_full_scale_is_no_trouble(model: Model) -> None:
    samples = noisy_voice()
    samples /= np.abs(samples).max()
    answer = run(model, samples)
    assert np.isfinite(answer).all()
    assert np.abs(answer).max() < 1.05  # overshoots of a mask; the writers count what they saturate


def test_louder_input_gives_the_same_answer_louder(model: Model) -> None:
    samples = noisy_voice()
    np.testing.assert_allclose(run(model, samples * 0.02), run(model, samples) * 0.02, atol=1e-4)


def test_noise_is_removed_and_speech_kept(model: Model) -> None:
    voice = VOICE[: 3 * RATE]
    hiss = voice.std() * noise(len(voice))
    answer = run(model, np.concatenate([hiss[:RATE], voice + hiss]))
    pause, speech = answer[RATE // 2 : RATE], answer[RATE:]
    assert 20 * np.log10(hiss.std() / pause.std()) > 6.0  # dB of noise removed before the voice begins
    assert np.corrcoef(speech[:, 0], voice[:, 0])[0, 1] > 0.9


def test_attenuation_limit_of_zero_changes_nothing(model: Model) -> None:
    samples = noisy_voice()
    np.testing.assert_allclose(run(model, samples, attenuation_limit_db=0.0), samples, atol=1e-5)


def test_attenuation_limit_keeps_that_much_of_the_noise(model: Model) -> None:
    samples = noisy_voice()
    limited, free = run(model, samples, attenuation_limit_db=12.0), run(model, samples)
    kept = 10 ** (-12.0 / 20)
    np.testing.assert_allclose(limited, free + (samples - free) * kept, atol=1e-5)


def test_shorter_than_a_window_is_refused(model: Model) -> None:
    with pytest.raises(AudioTooShort) as caught:
        list(enhance([noisy_voice(44100)[:1411]], Enhancer(model, rate=44100, channels=1)))
    assert (caught.value.frames, caught.value.minimum) == (1411, 1412)
    samples = noisy_voice(44100)[:1412]
    assert sum(map(len, enhance([samples], Enhancer(model, rate=44100, channels=1)))) == 1412


def test_memory_does_not_grow_with_length() -> None:
    model = STORE.resolve("production")
    enhancer = Enhancer(model, rate=48000, channels=1)
    block = noisy_voice(48000)
    process = psutil.Process()

    def grow(seconds: int) -> int:
        for _ in range(seconds // 2):
            enhancer.feed(block)
        return int(process.memory_info().rss)

    before, after = grow(60), grow(360)
    assert after - before < 16e6  # 6 minutes at 48 kHz are 69 MB of samples


@pytest.mark.parametrize("key", TRAINED)
def test_bf16_is_40_db_above_its_difference_to_fp32(key: str) -> None:
    if not native_bf16():
        pytest.skip("this processor emulates bfloat16")
    samples = noisy_voice()
    exact, fast = (run(STORES[precision].models[key], samples) for precision in ("fp32", "bf16"))
    assert 10 * np.log10(np.square(exact).sum() / np.square(fast - exact).sum()) > 40.0
