"""Real recordings for the tests, encoded in memory, and ways to damage them."""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from inference.audio import AudioReader

Samples = npt.NDArray[np.float32]

# (soundfile's container, its sample format, allowed difference after decoding): all that are read.
ENCODINGS = [
    ("WAV", "PCM_U8", 2**-7),
    ("WAV", "PCM_16", 2**-15),
    ("WAV", "PCM_24", 2**-23),
    ("WAV", "PCM_32", 2**-24),
    ("WAV", "FLOAT", 0),
    ("WAV", "DOUBLE", 0),
    ("WAV", "ULAW", 0.02),
    ("WAV", "ALAW", 0.02),
    ("WAV", "MS_ADPCM", 0.2),
    ("WAV", "IMA_ADPCM", 0.2),
    ("WAVEX", "PCM_16", 2**-15),
    ("WAVEX", "PCM_24", 2**-23),
    ("RF64", "PCM_16", 2**-15),
    ("FLAC", "PCM_S8", 2**-7),
    ("FLAC", "PCM_16", 2**-15),
    ("FLAC", "PCM_24", 2**-23),
    ("OGG", "VORBIS", 0.15),
    ("OGG", "OPUS", 0.15),
    ("MP3", "MPEG_LAYER_III", 0.15),
]


def tones(frames: int, rate: int, channels: int = 1) -> Samples:
    """A different pair of tones in each channel, faded in; peak 0.5."""
    time = np.arange(frames)[:, np.newaxis] / rate
    pitch = 300 + 170 * np.arange(channels)
    signal = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.2 * np.sin(2 * np.pi * 3.1 * pitch * time)
    return (signal * np.minimum(1, time / 0.05)).astype(np.float32)


def noise(frames: int, channels: int = 1, seed: int = 0) -> Samples:
    """White noise, rarely above half of full scale."""
    return (0.15 * np.random.default_rng(seed).standard_normal((frames, channels))).astype(np.float32)


def encoded(samples: Samples, rate: int, container: str, subtype: str, **options: Any) -> bytes:
    """The file soundfile makes of the samples."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype, **options)
    return file.getvalue()


def decoded(data: bytes, seconds: float = 10.0, max_seconds: float | None = None) -> Samples:
    """All samples of the file, read by the project in blocks of `seconds`."""
    with AudioReader(io.BytesIO(data), max_seconds=max_seconds) as reader:
        return np.concatenate(list(reader.blocks(seconds)))


def patched(data: bytes, offset: int, layout: str, *values: Any) -> bytes:
    """The file with other values (see struct) at `offset`."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, *values)
    return bytes(changed)


def ogg_pages(data: bytes) -> list[bytes]:
    """The pages of an Ogg file."""
    pages = []
    while data:
        segments = data[26]
        length = 27 + segments + sum(data[27 : 27 + segments])
        pages.append(data[:length])
        data = data[length:]
    return pages


def without_xing(mp3: bytes, rate: int = 16000) -> bytes:
    """The MP3 without the first frame, which counts the others (MPEG-2, as libsndfile writes below 32 kHz)."""
    kbits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[mp3[2] >> 4]
    first = 72 * kbits * 1000 // rate + (mp3[2] >> 1 & 1)
    assert b"Xing" in mp3[:first] or b"Info" in mp3[:first]
    return mp3[first:]


def without_total(flac: bytes) -> bytes:
    """The FLAC with 0 for the number of its samples, as who writes into a pipe leaves it: unknown."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]
