"""AudioWriter: what is written is read back as it was, at its length and in its place."""

import io
import tempfile
from typing import BinaryIO, cast

import numpy as np
import pytest
import soundfile

from inference.audio import FORMATS, AudioWriter
from inference.encode import MPEG_RATES
from inference.errors import UnacceptableFormat
from tests.inference.files import Samples, decoded, noise, tones

RATE = 16000


def written(samples: Samples, format: str, rate: int = RATE, source: str = "PCM_16", block: int = 7000) -> bytes:
    file = io.BytesIO()
    with AudioWriter(file, FORMATS[format], rate=rate, channels=samples.shape[1], source_subtype=source) as writer:
        for start in range(0, len(samples), block):
            writer.write(samples[start : start + block])
    assert writer.clipped_samples == 0
    return file.getvalue()


@pytest.mark.parametrize(
    ("source", "wav", "flac"),
    [
        ("PCM_U8", "PCM_16", "PCM_16"),
        ("PCM_S8", "PCM_16", "PCM_16"),
        ("PCM_16", "PCM_16", "PCM_16"),
        ("PCM_24", "PCM_24", "PCM_24"),
        ("PCM_32", "FLOAT", "PCM_24"),
        ("FLOAT", "FLOAT", "PCM_24"),
        ("DOUBLE", "FLOAT", "PCM_24"),
        ("ULAW", "PCM_16", "PCM_16"),
        ("VORBIS", "PCM_16", "PCM_16"),
        ("OPUS", "PCM_16", "PCM_16"),
        ("MPEG_LAYER_III", "PCM_16", "PCM_16"),
    ],
)
def test_depth_of_the_source_is_kept(source: str, wav: str, flac: str) -> None:
    for format, expected in (("wav", wav), ("flac", flac), ("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III")):
        data = written(tones(1000, RATE), format, source=source)
        assert soundfile.info(io.BytesIO(data)).subtype == expected


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_every_16_bit_value_survives(format: str) -> None:
    samples = (np.arange(-32768, 32768, dtype=np.float32) / 32768)[:, np.newaxis]
    assert np.array_equal(decoded(written(samples, format)), samples)


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_24_bit_values_survive_and_are_rounded_not_cut(format: str) -> None:
    samples = (np.arange(-(1 << 23), 1 << 23, 4001, dtype=np.float32) / (1 << 23))[:, np.newaxis]
    assert np.array_equal(decoded(written(samples, format, source="PCM_24")), samples)
    between = np.float32([[0.7 / (1 << 23)], [-0.7 / (1 << 23)]])
    assert np.array_equal(decoded(written(between, format, source="PCM_24")), np.rint(between * (1 << 23)) / (1 << 23))


def test_float_wav_is_untouched() -> None:
    samples = 5 * noise(5000, 2)
    assert np.max(np.abs(samples)) > 1
    assert np.array_equal(decoded(written(samples, "wav", source="FLOAT")), samples)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("frames", [1, 100, 1151, 1152, 16001, 80000])
def test_length_is_exact_in_every_format(format: str, frames: int) -> None:
    assert decoded(written(noise(frames, 2), format)).shape == (frames, 2)


@pytest.mark.parametrize("format", ["ogg", "mp3"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_lossy_formats_are_not_shifted(format: str, rate: int) -> None:
    samples = tones(rate, rate, 2)
    got = decoded(written(samples, format, rate))
    middle = slice(rate // 4, 3 * rate // 4)
    shifts = range(-1200, 1201)
    likeness = [float(np.vdot(np.roll(got, shift, axis=0)[middle], samples[middle])) for shift in shifts]
    assert shifts[int(np.argmax(likeness))] == 0
    assert np.sqrt(np.mean((got[middle] - samples[middle]) ** 2)) < 0.02


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("format", ["wav", "flac", "ogg"])
def test_every_rate_and_channel_count(format: str, rate: int, channels: int) -> None:
    assert decoded(written(tones(3000, rate, channels), format, rate)).shape == (3000, channels)


@pytest.mark.parametrize("rate", MPEG_RATES)
def test_every_rate_of_mp3(rate: int) -> None:
    assert len(decoded(written(tones(3000, rate), "mp3", rate))) == 3000


@pytest.mark.parametrize(
    ("format", "rate", "channels", "reason"),
    [
        ("mp3", 16000, 6, "6 channels"),
        ("mp3", 96000, 1, "96000 Hz"),
        ("mp3", 16001, 1, "16001 Hz"),
        ("wav", 16000, 9, "9 channels"),
        ("flac", 16000, 9, "9 channels"),
        ("flac", 100_001, 1, "100001 Hz"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    format: str, rate: int, channels: int, reason: str
) -> None:
    file = io.BytesIO()
    with pytest.raises(UnacceptableFormat, match=reason) as caught:
        AudioWriter(file, FORMATS[format], rate=rate, channels=channels)
    assert caught.value.format == format
    assert file.getvalue() == b""


@pytest.mark.parametrize(("format", "source"), [("wav", "PCM_16"), ("wav", "PCM_24"), ("flac", "PCM_24")])
def test_samples_beyond_full_scale_are_saturated_and_counted(format: str, source: str) -> None:
    samples = np.float32([[0.5], [1.0], [1.2], [-1.0], [-1.0001], [40.0], [-0.5]])
    file = io.BytesIO()
    writer = AudioWriter(file, FORMATS[format], rate=RATE, channels=1, source_subtype=source)
    writer.write(samples)
    writer.write(samples)
    writer.close()
    assert writer.clipped_samples == 6
    assert np.max(np.abs(decoded(file.getvalue()) - np.tile(np.clip(samples, -1, 1), (2, 1)))) <= 2**-15
    assert samples[5, 0] == 40  # the caller's array is left alone


@pytest.mark.parametrize("format", ["ogg", "mp3"])
def test_lossy_formats_count_and_saturate_too(format: str) -> None:
    file = io.BytesIO()
    with AudioWriter(file, FORMATS[format], rate=RATE, channels=1) as writer:
        writer.write(np.full((20000, 1), 3.0, np.float32))
    assert writer.clipped_samples == 20000
    assert np.median(np.abs(decoded(file.getvalue()))) < 1.2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("source", ["PCM_16", "FLOAT"])
def test_not_a_finite_number_is_never_written(value: float, source: str) -> None:
    samples = noise(100, 2)
    samples[50, 1] = value
    writer = AudioWriter(io.BytesIO(), FORMATS["wav"], rate=RATE, channels=2, source_subtype=source)
    with writer, pytest.raises(ValueError, match="NaN"):
        writer.write(samples)


def test_a_minute_at_once_does_not_overflow_the_stack_of_the_vorbis_encoder() -> None:
    minute = np.zeros((60 * 48000, 1), np.float32)
    assert len(decoded(written(minute, "ogg", 48000, block=len(minute)))) == len(minute)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("max_size", [1 << 24, 16])
def test_writes_to_spooled_files_and_leaves_them_open(format: str, max_size: int) -> None:
    with tempfile.SpooledTemporaryFile(max_size=max_size) as file:
        writer = AudioWriter(cast(BinaryIO, file), FORMATS[format], rate=RATE, channels=1)
        writer.write(tones(5000, RATE))
        writer.write(tones(0, RATE))
        writer.close()
        writer.close()
        file.seek(0)
        assert len(decoded(file.read())) == 5000


def test_blocks_that_are_views_are_written_right() -> None:
    samples = noise(4000, 4)
    assert np.max(np.abs(decoded(written(samples[::2, 1::2], "flac")) - samples[::2, 1::2])) <= 2**-15


def test_formats_agree_with_their_names() -> None:
    for name, format in FORMATS.items():
        assert (format.name, format.extension) == (name, f".{name}")
        assert format.media_type.startswith("audio/")
        assert soundfile.check_format(format.container, format.subtype)
