"""Answers whose header leaves before their end is known."""

import io
import struct

import numpy as np
import pytest
import soundfile

from inference.audio import FORMATS, AudioReader, AudioWriter
from inference.errors import UnacceptableFormat
from inference.samples import Samples
from inference.stream_encode import StreamWriter

SUBTYPES = {"wav": ("PCM_16", "PCM_24", "FLOAT"), "flac": ("PCM_16", "PCM_24"), "ogg": ("PCM_16",)}
CASES = [(name, subtype) for name, subtypes in SUBTYPES.items() for subtype in subtypes]


def noise(frames: int, channels: int) -> Samples:
    return np.random.default_rng(5).normal(0, 0.1, (frames, channels)).astype(np.float32)


def streamed(name: str, samples: Samples, subtype: str, frames: int | None) -> list[bytes]:
    """What leaves, piece by piece."""
    writer = StreamWriter(FORMATS[name], rate=16000, channels=samples.shape[1], source_subtype=subtype, frames=frames)
    return [*(writer.write(block) for block in np.array_split(samples, 7)), writer.close(), writer.close()]


def written(name: str, samples: Samples, subtype: str) -> bytes:
    file = io.BytesIO()
    with AudioWriter(file, FORMATS[name], rate=16000, channels=samples.shape[1], source_subtype=subtype) as writer:
        for block in np.array_split(samples, 7):  # the first block decides how Vorbis begins
            writer.write(block)
    return file.getvalue()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "subtype"), CASES)
def test_it_decodes_to_what_a_whole_file_holds(name: str, subtype: str, channels: int, known: bool):
    samples = noise(40_001, channels)
    pieces = streamed(name, samples, subtype, len(samples) if known else None)
    with AudioReader(io.BytesIO(b"".join(pieces))) as reader:
        ours = np.concatenate(list(reader.blocks()))
    whole, _ = soundfile.read(io.BytesIO(written(name, samples, subtype)), dtype="float32", always_2d=True)
    np.testing.assert_array_equal(ours, whole)
    assert sum(len(piece) > 0 for piece in pieces[:-2]) >= 2  # it did not wait for the end
    assert pieces[-1] == b""


def test_nothing_leaves_before_there_are_samples():
    writer = StreamWriter(FORMATS["wav"], rate=16000, channels=1, source_subtype="PCM_16", frames=10)
    assert writer.write(noise(0, 1)) == b""
    assert writer.write(noise(10, 1)).startswith(b"RIFF")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_wav_of_known_length_is_the_same_to_the_byte(subtype: str):
    samples = noise(40_000, 2)
    assert b"".join(streamed("wav", samples, subtype, len(samples))) == written("wav", samples, subtype)


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_any_reader_learns_a_known_length_from_the_header(name: str):
    samples = noise(40_000, 2)
    beginning = streamed(name, samples, "PCM_16", len(samples))[0]
    with soundfile.SoundFile(io.BytesIO(beginning + bytes(200_000))) as file:
        assert file.frames == len(samples)


@pytest.mark.parametrize("frames", [None, 1 << 31])
def test_sizes_that_are_unknown_or_do_not_fit_say_so(frames: int | None):
    beginning = streamed("wav", noise(40_000, 1), "PCM_16", frames)[0]
    assert struct.unpack_from("<I", beginning, 4) == (0xFFFFFFFF,)
    assert struct.unpack_from("<4sI", beginning, 36) == (b"data", 0xFFFFFFFF)


def test_the_peaks_of_a_float_wav_are_left_out():
    beginning = streamed("wav", noise(40_000, 1), "FLOAT", 40_000)[0]
    assert b"PEAK" not in beginning
    assert struct.unpack_from("<I", beginning, beginning.index(b"fact") + 8) == (40_000,)


def test_an_mp3_is_refused():
    with pytest.raises(UnacceptableFormat, match="cannot be streamed"):
        StreamWriter(FORMATS["mp3"], rate=16000, channels=1, source_subtype="PCM_16", frames=None)
