"""AudioReader on real files of every kind."""

import io
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.audio import AudioReader
from inference.errors import (
    AudioTooLong,
    EmptyAudio,
    HushError,
    NonFiniteAudio,
    NotAudio,
    TruncatedAudio,
    UnsupportedShape,
)
from inference.samples import LARGEST
from tests.inference.files import ENCODINGS, Samples, decoded, encoded, noise, tones, without_xing

RATE = 16000


@pytest.mark.parametrize(("container", "subtype", "tolerance"), ENCODINGS)
def test_reads_every_encoding(container: str, subtype: str, tolerance: float) -> None:
    samples = tones(RATE, RATE, 2)
    with AudioReader(io.BytesIO(encoded(samples, RATE, container, subtype))) as reader:
        assert (reader.rate, reader.channels, reader.subtype) == (RATE, 2, subtype)
        blocks = list(reader.blocks())
    got = np.concatenate(blocks)
    assert got.dtype == np.float32
    assert reader.frames == len(got)
    assert len(got) == RATE or ("ADPCM" in subtype and RATE <= len(got) < RATE + 1024)  # ADPCM fills its last block
    heard = RATE - 1000 if subtype == "OPUS" else RATE  # libsndfile's Opus encoder loses the last milliseconds
    assert np.max(np.abs(got[:heard] - samples[:heard])) <= tolerance


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_reads_every_rate_and_channel_count(rate: int, channels: int) -> None:
    samples = tones(2000, rate, channels)
    for container, subtype in (("WAV", "PCM_24"), ("FLAC", "PCM_24"), ("OGG", "VORBIS")):
        with AudioReader(io.BytesIO(encoded(samples, rate, container, subtype))) as reader:
            assert (reader.rate, reader.channels, reader.frames) == (rate, channels, 2000)
            got = next(reader.blocks())
        assert got.shape == (2000, channels)
        assert np.sqrt(np.mean((got - samples) ** 2)) < (0.08 if container == "OGG" else 1e-6)


@pytest.mark.parametrize(("container", "subtype", "_"), ENCODINGS)
def test_blocks_of_any_size_give_the_same_samples(container: str, subtype: str, _: float) -> None:
    data = encoded(noise(RATE, 2), RATE, container, subtype)
    whole = decoded(data)
    for frames in (997, 1777, 4096):
        assert np.array_equal(decoded(data, seconds=frames / RATE), whole)


def test_blocks_have_the_size_asked_for() -> None:
    data = encoded(noise(2500), RATE, "WAV", "PCM_16")
    with AudioReader(io.BytesIO(data)) as reader:
        assert [len(block) for block in reader.blocks(1000 / RATE)] == [1000, 1000, 500]
    with AudioReader(io.BytesIO(data)) as reader:
        assert [len(block) for block in reader.blocks(1e-9)][:3] == [1, 1, 1]


def test_a_block_of_many_fast_channels_is_bounded() -> None:
    data = encoded(np.zeros((192000 * 3, 8), np.float32), 192000, "FLAC", "PCM_16")
    with AudioReader(io.BytesIO(data)) as reader:
        assert max(block.nbytes for block in reader.blocks()) <= 16 << 20


def _files(data: bytes, folder: Path) -> list[BinaryIO]:
    in_memory = tempfile.SpooledTemporaryFile(max_size=1 << 24, dir=folder)  # noqa: SIM115  # closed by the test
    on_disk = tempfile.SpooledTemporaryFile(max_size=16, dir=folder)  # noqa: SIM115
    for file in (in_memory, on_disk):
        file.write(data)
    (folder / "clip").write_bytes(data)
    return [io.BytesIO(data), (folder / "clip").open("rb"), cast(BinaryIO, in_memory), cast(BinaryIO, on_disk)]


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_reads_every_kind_of_file_object_and_leaves_it_open(container: str, tmp_path: Path) -> None:
    data = encoded(tones(4000, RATE), RATE, container, soundfile.default_subtype(container))
    for file in _files(data, tmp_path):
        with file:
            with AudioReader(file) as reader:
                assert sum(len(block) for block in reader.blocks()) == 4000
            file.seek(0)
            assert file.read() == data
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


@pytest.mark.parametrize("clip", ["voice.wav", "noisy.wav", "noisy_48k_stereo.flac"])
def test_reads_the_committed_clips(clips: Path, clip: str) -> None:
    expected, rate = soundfile.read(clips / clip, dtype="float32", always_2d=True)
    with (clips / clip).open("rb") as file, AudioReader(file) as reader:
        assert reader.rate == rate
        assert np.array_equal(np.concatenate(list(reader.blocks())), expected)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.999])
def test_truncated_flac(subtype: str, share: float) -> None:
    data = encoded(noise(3 * RATE, 2), RATE, "FLAC", subtype)
    with pytest.raises(TruncatedAudio) as caught:
        decoded(data[: int(len(data) * share)])
    assert caught.value.promised == 3 * RATE
    assert 3 * RATE * (share - 0.15) < caught.value.found < 3 * RATE
    assert caught.value.found % 4096 == 0  # whole frames of FLAC


def test_truncated_flac_gives_out_what_came_before() -> None:
    samples = noise(3 * RATE)
    data = encoded(samples, RATE, "FLAC", "PCM_16")
    got: list[Samples] = []
    with AudioReader(io.BytesIO(data[: len(data) // 2])) as reader, pytest.raises(TruncatedAudio):
        got.extend(reader.blocks(0.25))
    assert len(got) >= 4
    assert np.max(np.abs(np.concatenate(got) - samples[: 4000 * len(got)])) <= 2**-15


def test_flac_that_promises_more_than_it_holds() -> None:
    data = bytearray(encoded(noise(RATE), RATE, "FLAC", "PCM_16"))
    data[22:26] = (2 * RATE).to_bytes(4, "big")
    with pytest.raises(TruncatedAudio) as caught:
        decoded(bytes(data))
    assert (caught.value.promised, caught.value.found) == (2 * RATE, RATE)


def test_flac_written_into_a_pipe_has_no_total() -> None:
    whole = encoded(noise(RATE), RATE, "FLAC", "PCM_16")
    data = whole[:21] + bytes([whole[21] & 0xF0]) + bytes(4) + whole[26:]
    with AudioReader(io.BytesIO(data)) as reader:
        assert reader.frames is None
        assert np.array_equal(np.concatenate(list(reader.blocks(0.3))), decoded(whole))


def test_damaged_flac_is_not_audio() -> None:
    data = bytearray(encoded(noise(5 * RATE, 2), RATE, "FLAC", "PCM_16"))
    data[90_000:90_100] = b"\x55" * 100
    with pytest.raises(NotAudio, match="damage") as caught:
        decoded(bytes(data))
    assert isinstance(caught.value.__cause__, soundfile.LibsndfileError)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_mp3(share: float) -> None:
    data = encoded(noise(3 * RATE), RATE, "MP3", "MPEG_LAYER_III")
    with pytest.raises(TruncatedAudio) as caught:
        decoded(data[: int(len(data) * share)])
    assert caught.value.promised == 3 * RATE
    assert abs(caught.value.found - 3 * RATE * share) < 0.15 * 3 * RATE


def test_mp3_that_lacks_less_than_two_frames_is_accepted() -> None:
    data = encoded(noise(3 * RATE), RATE, "MP3", "MPEG_LAYER_III")
    assert 3 * RATE - 2 * 1152 <= len(decoded(data[:-10])) < 3 * RATE


@pytest.mark.parametrize("container", ["WAV", "RF64"])
def test_no_samples(container: str) -> None:
    with pytest.raises(EmptyAudio, match="samples"):
        decoded(encoded(np.zeros((0, 1), np.float32), RATE, container, "PCM_16"))


def test_flac_whose_header_is_all_there_is() -> None:
    whole = bytearray(encoded(noise(RATE), RATE, "FLAC", "PCM_16"))
    whole[4] |= 0x80  # STREAMINFO is the last block of metadata ...
    whole[21] &= 0xF0
    whole[22:26] = bytes(4)  # ... and counts nothing
    with pytest.raises(EmptyAudio):
        decoded(bytes(whole[:42]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_not_a_finite_number(value: float, subtype: str) -> None:
    samples = noise(RATE, 2)
    samples[[7001, 9000], [1, 0]] = value
    data = encoded(samples, RATE, "WAV", subtype)
    for seconds in (10.0, 0.1):
        with pytest.raises(NonFiniteAudio) as caught:
            decoded(data, seconds)
        assert caught.value.frame == 7001


def test_a_double_beyond_single_precision_is_not_finite() -> None:
    samples = noise(100).astype(np.float64)
    samples[5] = 1e300
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="DOUBLE")
    with pytest.raises(NonFiniteAudio) as caught:
        decoded(file.getvalue())
    assert caught.value.frame == 5


def test_absurdly_large_values_are_refused() -> None:
    samples = np.full((1000, 1), LARGEST, np.float32)
    assert np.array_equal(decoded(encoded(samples, RATE, "WAV", "FLOAT")), samples)
    samples[17] = -1.01 * LARGEST
    with pytest.raises(NonFiniteAudio) as caught:
        decoded(encoded(samples, RATE, "WAV", "FLOAT"))
    assert caught.value.frame == 17


def test_values_beyond_full_scale_are_kept() -> None:
    samples = 4 * noise(1000)
    assert np.array_equal(decoded(encoded(samples, RATE, "WAV", "FLOAT")), samples)


def test_longer_than_allowed_is_refused_on_opening() -> None:
    data = encoded(np.zeros((RATE + 1, 1), np.float32), RATE, "FLAC", "PCM_16")
    with pytest.raises(AudioTooLong) as caught:
        AudioReader(io.BytesIO(data), max_seconds=1)
    assert caught.value.seconds_limit == 1
    assert len(decoded(data, max_seconds=1.001)) == RATE + 1


def test_length_is_counted_where_it_is_not_promised() -> None:
    uncounted = without_xing(encoded(noise(3 * RATE), RATE, "MP3", "MPEG_LAYER_III"))
    got: list[Samples] = []
    with AudioReader(io.BytesIO(uncounted), max_seconds=1) as reader, pytest.raises(AudioTooLong):
        got.extend(reader.blocks(0.4))
    assert len(got) == 2


@pytest.mark.parametrize(("rate", "channels"), [(7999, 1), (192001, 1), (16000, 9), (16000, 200)])
def test_shape_out_of_range(rate: int, channels: int) -> None:
    with pytest.raises(UnsupportedShape):
        decoded(encoded(np.zeros((100, channels), np.float32), rate, "WAV", "PCM_16"))


def test_channel_limit_of_the_caller() -> None:
    data = encoded(tones(100, RATE, 3), RATE, "WAV", "PCM_16")
    with pytest.raises(UnsupportedShape, match="from 1 to 2"):
        AudioReader(io.BytesIO(data), max_channels=2)


def _damage(data: bytes, generator: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(int(generator.integers(1, 6))):
        span = min(len(damaged), 200) if generator.random() < 0.6 else len(damaged)
        place, width = int(generator.integers(span)), int(generator.integers(1, 9))
        match generator.integers(4):
            case 0:
                damaged[place] ^= 1 << int(generator.integers(8))
            case 1:
                damaged[place : place + width] = bytes([int(generator.choice([0, 127, 128, 255]))]) * width
            case 2:
                del damaged[place : place + 40 * width]
            case _:
                damaged[place:place] = generator.bytes(40 * width)
    return bytes(damaged)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("WAVEX", "PCM_24"),
        ("WAV", "IMA_ADPCM"),
        ("RF64", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
def test_damaged_files_raise_nothing_but_the_family(container: str, subtype: str) -> None:
    whole = encoded(noise(4000, 2), RATE, container, subtype)
    generator = np.random.default_rng(sum(map(ord, container + subtype)))
    refused = 0
    for _ in range(120):
        try:
            samples = decoded(_damage(whole, generator), max_seconds=60)
            assert samples.ndim == 2
            assert np.isfinite(samples).all()
        except HushError:
            refused += 1
    assert refused > 5


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([b"", b"RIFF\xff\0\0\0WAVEfmt ", b"fLaC\0\0\0\x22", b"OggS\0\2", b"\xff\xfb\x90\x64"]), st.binary()
)
def test_bytes_of_strangers_raise_nothing_but_the_family(head: bytes, tail: bytes) -> None:
    with pytest.raises(HushError):
        decoded(head + tail)


def test_closing_twice_and_reading_after_an_error() -> None:
    reader = AudioReader(io.BytesIO(encoded(tones(100, RATE), RATE, "WAV", "PCM_16")))
    reader.close()
    reader.close()
    with pytest.raises(soundfile.SoundFileRuntimeError):
        next(reader.blocks())
