"""Noises by synthesis and from recordings, and their mixing at a chosen SNR."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import EmptyAudio, StoreError, UnknownNoiseType
from inference.noise import NOISE_RMS, NoiseLibrary, mix
from inference.speech_level import active_speech_level
from tests.inference.files import Samples, noise, tones

RATE = 16000
SYNTHETIC = ("babble", "blue", "brown", "hum", "pink", "white")


def make(noise_type: str, frames: int = 10 * RATE, rate: int = RATE, seed: int = 1) -> Samples:
    return NoiseLibrary().make(noise_type, frames, rate, np.random.default_rng(seed))


def density_db(samples: Samples, low: float, high: float, rate: int = RATE) -> float:
    """Mean power density between two frequencies, in dB."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    return float(10 * np.log10(np.mean(power[(frequencies >= low) & (frequencies < high)])))


def correlation(a: Samples, b: Samples) -> float:
    return abs(float(np.corrcoef(a, b)[0, 1]))


# Synthesis


def test_synthetic_types_are_there_without_a_folder() -> None:
    assert NoiseLibrary().types == NoiseLibrary(None).types == SYNTHETIC


@pytest.mark.parametrize("noise_type", SYNTHETIC)
@pytest.mark.parametrize(("frames", "rate"), [(1, 16000), (801, 8000), (16001, 44100), (30000, 192000)])
def test_has_the_length_and_level_and_is_repeatable(noise_type: str, frames: int, rate: int) -> None:
    samples = make(noise_type, frames, rate)
    assert samples.shape == (frames,)
    assert samples.dtype == np.float32
    assert np.sqrt(np.mean(samples.astype(float) ** 2)) == pytest.approx(NOISE_RMS, rel=1e-5)
    assert np.array_equal(samples, make(noise_type, frames, rate))


@pytest.mark.parametrize("noise_type", SYNTHETIC)
def test_another_seed_is_another_noise(noise_type: str) -> None:
    limit = 0.95 if noise_type == "hum" else 0.1  # hum is a line spectrum whose phases and drift differ
    assert correlation(make(noise_type, seed=1), make(noise_type, seed=2)) < limit


def test_no_frames_is_no_noise() -> None:
    assert make("pink", 0).shape == (0,)


@pytest.mark.parametrize(("noise_type", "slope"), [("white", 0), ("pink", -3.01), ("brown", -6.02), ("blue", 3.01)])
def test_colour_is_the_slope_an_octave(noise_type: str, slope: float) -> None:
    samples = make(noise_type, 60 * RATE)
    octaves = [density_db(samples, 100 * 2**k, 100 * 2 ** (k + 1)) for k in range(6)]
    assert np.diff(octaves) == pytest.approx(slope, abs=0.5)


def test_brown_noise_is_flat_where_nobody_hears_it() -> None:
    samples = make("brown", 60 * RATE)
    assert density_db(samples, 1, 5) == pytest.approx(density_db(samples, 10, 20), abs=1.5)


def test_hum_is_at_the_mains_frequency_and_its_harmonics() -> None:
    samples = make("hum")
    lines = [density_db(samples, k * 50 - 1.5, k * 50 + 1.5) for k in (1, 2, 3, 5)]
    assert min(lines) > density_db(samples, 60, 90) + 30
    assert lines[0] > lines[2] > lines[3]
    assert lines[2] > lines[1]


def test_hum_has_nothing_beyond_half_the_rate() -> None:
    assert (
        density_db(make("hum", 80000, 8000), 1100, 4000, 8000) < density_db(make("hum", 80000, 8000), 40, 60, 8000) - 40
    )


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_babble_is_like_speech(rate: int) -> None:
    samples = make("babble", 10 * rate, rate)
    assert density_db(samples, 200, 1000, rate) > density_db(samples, 2700, 3900, rate) + 10  # falling spectrum
    levels = 10 * np.log10(np.mean(samples.reshape(-1, rate // 20).astype(float) ** 2, axis=1))
    assert 1 < np.std(levels) < 6  # moves at the pace of syllables, without the pauses of a single voice


def test_babble_moves_more_than_white_noise() -> None:
    levels = [np.std(np.mean(make(kind).reshape(-1, 800).astype(float) ** 2, axis=1)) for kind in ("babble", "white")]
    assert levels[0] > 3 * levels[1]


# Recordings


def _record(path: Path, seconds: float = 2.0, rate: int = RATE, seed: int = 0, channels: int = 1) -> Samples:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = noise(round(seconds * rate), channels, seed)
    soundfile.write(path, samples, rate, subtype="FLOAT" if path.suffix == ".wav" else None)
    return samples


def test_both_layouts_become_categories(tmp_path: Path) -> None:
    _record(tmp_path / "DKITCHEN" / "ch01.wav")
    _record(tmp_path / "DKITCHEN" / "ch02.wav")
    _record(tmp_path / "street" / "monday" / "a.flac")
    _record(tmp_path / "cafe_01.wav")
    _record(tmp_path / "cafe_02.ogg")
    _record(tmp_path / "rain.mp3")
    _record(tmp_path / "2024.wav")
    assert NoiseLibrary(tmp_path).types == tuple(
        sorted((*SYNTHETIC, "2", "cafe", "DKITCHEN", "rain", "street"), key=str.casefold)
    )


def test_what_is_no_recording_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("Recorded in a kitchen.")
    (tmp_path / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "empty").mkdir()
    _record(tmp_path / "click.wav", seconds=0.4)
    _record(tmp_path / ".hidden.wav")
    _record(tmp_path / ".trash" / "old.wav")
    cut = tmp_path / "cut.wav"
    _record(cut)
    cut.write_bytes(cut.read_bytes()[:-100])
    assert NoiseLibrary(tmp_path).types == SYNTHETIC


def test_a_recorded_category_replaces_a_synthetic_noise(tmp_path: Path) -> None:
    recorded = _record(tmp_path / "White" / "a.wav", seed=5)
    library = NoiseLibrary(tmp_path)
    assert "White" in library.types
    assert len(library.types) == len(SYNTHETIC)
    made = library.make("white", len(recorded) - 1, RATE, np.random.default_rng(0))
    assert max(correlation(made, recorded[:-1, 0]), correlation(made, recorded[1:, 0])) > 0.999


def test_categories_that_differ_in_case_are_one(tmp_path: Path) -> None:
    _record(tmp_path / "Cafe" / "a.wav")
    _record(tmp_path / "cafe_7.wav")
    assert NoiseLibrary(tmp_path).types == ("babble", "blue", "brown", "Cafe", "hum", "pink", "white")


def test_an_excerpt_is_a_part_of_the_recording_from_a_random_place(tmp_path: Path) -> None:
    recorded = _record(tmp_path / "room.wav", seconds=3, channels=2)
    library = NoiseLibrary(tmp_path)
    places = set()
    for seed in range(5):
        made = library.make("ROOM", RATE, RATE, np.random.default_rng(seed))
        assert np.array_equal(made, library.make("room", RATE, RATE, np.random.default_rng(seed)))
        likeness = np.correlate(recorded[:, 0], made, "valid")
        place = int(np.argmax(likeness))
        assert correlation(recorded[place : place + RATE, 0], made) > 0.9999
        places.add(place)
    assert len(places) == 5


def test_all_files_of_a_category_are_used(tmp_path: Path) -> None:
    recorded = [_record(tmp_path / "fan" / f"{seed}.wav", seed=seed)[:, 0] for seed in range(3)]
    library = NoiseLibrary(tmp_path)
    used = set()
    for seed in range(20):
        made = library.make("fan", 2 * RATE - 1, RATE, np.random.default_rng(seed))
        used.add(int(np.argmax([max(correlation(made, r[:-1]), correlation(made, r[1:])) for r in recorded])))
    assert used == {0, 1, 2}


def test_recordings_of_another_rate_are_resampled(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tones(3 * 44100, 44100), 44100, subtype="FLOAT")
    made = NoiseLibrary(tmp_path).make("tone", 2 * RATE, RATE, np.random.default_rng(0))
    assert made.shape == (2 * RATE,)
    peak = np.argmax(np.abs(np.fft.rfft(made * np.hanning(len(made))))) * RATE / len(made)
    assert peak == pytest.approx(300, abs=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60000), st.sampled_from([8000, 16000, 44100, 192000]), st.integers(0, 2**32))
def test_any_length_can_be_made_of_a_short_recording(
    tmp_path_factory: pytest.TempPathFactory, frames: int, rate: int, seed: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "short"
    if not folder.exists():
        _record(folder / "fan.flac", seconds=0.51, rate=11025)
    made = NoiseLibrary(folder).make("fan", frames, rate, np.random.default_rng(seed))
    assert made.shape == (frames,)
    assert np.isfinite(made).all()


def test_repetitions_are_faded_into_each_other(tmp_path: Path) -> None:
    time = np.arange(RATE) / RATE
    ramp = np.cos(2 * np.pi * 100 * time) * (0.2 + 0.6 * time)  # ends four times as loud as it begins
    soundfile.write(tmp_path / "fan.wav", ramp, RATE, subtype="FLOAT")
    made = NoiseLibrary(tmp_path).make("fan", 5 * RATE, RATE, np.random.default_rng(3))
    assert np.max(np.abs(np.diff(made))) < 1.5 * np.max(np.abs(made)) * 2 * np.pi * 100 / RATE  # no click
    levels = np.sqrt(np.mean(made.reshape(-1, 160).astype(float) ** 2, axis=1))
    assert levels.min() > 0.1 * levels.max()  # no hole either
    period = RATE - RATE // 20
    assert np.allclose(made[: 2 * period], made[period : 3 * period], atol=1e-5)


def test_a_missing_folder_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        NoiseLibrary(tmp_path / "nowhere")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_an_unreadable_recording_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "fan.wav").symlink_to("/proc/self/mem")
    with pytest.raises(StoreError, match=r"fan\.wav cannot be read"):
        NoiseLibrary(tmp_path)


def test_a_silent_or_lost_recording_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "vacuum.wav", np.zeros(RATE), RATE)
    _record(tmp_path / "fan.wav")
    library = NoiseLibrary(tmp_path)
    with pytest.raises(StoreError, match=r"vacuum\.wav is silent"):
        library.make("vacuum", 100, RATE, np.random.default_rng(0))
    (tmp_path / "fan.wav").unlink()
    with pytest.raises(StoreError, match=r"fan\.wav cannot be read"):
        library.make("fan", 100, RATE, np.random.default_rng(0))


@pytest.mark.parametrize("wrong", ["purple", "", "white "])
def test_an_unknown_type_names_the_known(wrong: str) -> None:
    with pytest.raises(UnknownNoiseType) as caught:
        make(wrong)
    assert caught.value.known == SYNTHETIC
    assert caught.value.noise_type == wrong


def test_case_does_not_matter() -> None:
    assert NoiseLibrary().check("PINK") == "pink"
    assert np.array_equal(make("Pink"), make("pink"))


# Mixing


@pytest.mark.parametrize("noise_type", SYNTHETIC)
@pytest.mark.parametrize("snr_db", [-10, 0, 5, 20, 60])
def test_mixture_has_the_snr_over_the_active_speech(noise_type: str, snr_db: float, clips: Path) -> None:
    speech, rate = soundfile.read(clips / "voice.wav", dtype="float32", always_2d=True)
    speech = np.concatenate([speech, np.zeros((2 * rate, 1), np.float32)])
    mixture = mix(speech, make(noise_type, len(speech), rate), snr_db, rate)
    undone = mixture.samples.astype(float) / 10 ** (mixture.gain_db / 20)
    noise_power = np.mean((undone - speech) ** 2)
    active_power = active_speech_level(speech, rate).power
    assert 10 * np.log10(active_power / noise_power) == pytest.approx(snr_db, abs=0.05)
    assert active_power > 1.3 * np.mean(speech**2)  # the pause does not count


def test_quiet_mixture_is_not_scaled() -> None:
    speech = 0.1 * tones(RATE, RATE)
    mixture = mix(speech, make("white", RATE), 20, RATE)
    assert mixture.gain_db == 0
    assert mixture.samples.dtype == np.float32
    assert mixture.samples.shape == speech.shape


@pytest.mark.parametrize(("snr_db", "most_db"), [(-40, -30), (-20, -10), (10, -0.01)])
def test_loud_mixture_is_scaled_as_a_whole_and_says_so(snr_db: float, most_db: float) -> None:
    speech = 2 * tones(RATE, RATE)
    added = make("pink", RATE)
    mixture = mix(speech, added, snr_db, RATE)
    assert np.max(np.abs(mixture.samples)) == pytest.approx(1, abs=1e-6)
    assert most_db - 30 < mixture.gain_db < most_db
    undone = mixture.samples / 10 ** (mixture.gain_db / 20) - speech
    assert correlation(undone[:, 0], added) > 0.9999


def test_every_channel_gets_the_same_noise() -> None:
    speech = 0.1 * tones(RATE, RATE, 3)
    added = mix(speech, make("white", RATE), 10, RATE).samples - speech
    assert np.max(np.abs(added - added[:, :1])) < 1e-6
    assert np.std(added) > 0.001


def test_silent_speech_has_no_snr() -> None:
    with pytest.raises(EmptyAudio, match="sound"):
        mix(np.zeros((RATE, 1), np.float32), make("white", RATE), 10, RATE)


def test_silent_noise_is_a_bug() -> None:
    with pytest.raises(ValueError, match="silent"):
        mix(tones(RATE, RATE), np.zeros(RATE, np.float32), 10, RATE)
