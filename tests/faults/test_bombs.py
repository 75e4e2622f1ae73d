"""Small files that decode to hours, wide ones, lying ones: refused, or served in bounded time and memory."""

import io
import struct
import time
from collections.abc import Callable

import numpy as np
import psutil
import pytest
import requests
import soundfile

from tests.api.recordings import encoded, noise
from tests.faults.conftest import Stack
from tests.faults.load import memory
from tests.faults.report import note
from tests.inference.files import without_total, without_xing

AUDIO = {"Content-Type": "audio/wav"}
GROWTH = 400.0  # MiB that both workers together may need for the worst of these
SECONDS = 100.0  # far above what they take on a quiet machine


def flac(hours: float, rate: int = 8000, channels: int = 1) -> bytes:
    """Silence: the smallest that FLAC can be made to hold. Encoded once and repeated would break its numbering."""
    file = io.BytesIO()
    block = np.zeros((rate * 10, channels), np.int16)
    with soundfile.SoundFile(file, "w", rate, channels, "PCM_16", format="FLAC") as sound:
        for _ in range(round(hours * 360)):
            sound.write(block)
    return file.getvalue()


def compressed(container: str, minutes: float) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 8000, 1, format=container) as sound:
        for _ in range(round(minutes * 6)):
            sound.write(np.zeros(80000, np.float32))
    return file.getvalue()


def lying_wav(frames: int) -> bytes:
    """A header that promises more than there is."""
    made = bytearray(encoded(noise(0.5)))
    struct.pack_into("<I", made, 40, frames * 2)
    return bytes(made)


def flac_header(rate: int, channels: int, total: int) -> bytes:
    """A header alone that promises `total` frames."""
    made = bytearray(encoded(noise(0.2, 16000), container="FLAC"))
    word = rate << 44 | (channels - 1) << 41 | 15 << 36 | total
    struct.pack_into(">Q", made, 18, word)
    return bytes(made)


# name -> the file, the answer; 65 minutes are over the limit of one hour
BOMBS: dict[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {
    "flac of 10 hours": (lambda: flac(10), (413,)),
    "flac header of 1,000 hours": (lambda: flac_header(8000, 1, 8000 * 3600 * 1000), (413,)),
    "flac header, 192 kHz x 8, 59 minutes": (lambda: flac_header(192_000, 8, 192_000 * 3540), (400, 422)),
    "wav that promises 1 GiB": (lambda: lying_wav(2**29), (400,)),
    "wav of 4 billion channels": (lambda: encoded(noise(0.5))[:22] + b"\xff\xff" + encoded(noise(0.5))[24:], (400,)),
}
SLOW_BOMBS: dict[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {
    "ogg of 65 minutes": (lambda: compressed("OGG", 65), (413,)),
    "mp3 of 65 minutes": (lambda: compressed("MP3", 65), (413,)),
    "mp3 of 65 minutes that does not say so": (lambda: without_xing(compressed("MP3", 65), 8000), (413,)),
    "flac, 192 kHz x 8, 61 minutes that does not say so": (lambda: without_total(flac(61 / 60, 192_000, 8)), (413,)),
    "flac, 192 kHz x 8, 3 minutes of silence": (lambda: flac(0.05, 192_000, 8), (200,)),
}


def check(stack: Stack, name: str, file: bytes, statuses: tuple[int, ...], path: str = "/predict?model=lsa") -> None:
    front, server = stack
    before, began = memory(server), time.monotonic()
    answer = requests.post(front.url + path, data=file, headers=AUDIO, timeout=600, stream=True)
    size = sum(map(len, answer.iter_content(1 << 20)))
    seconds, after = time.monotonic() - began, memory(server)
    note(name, 1, 0, seconds, after, f"{len(file):,} bytes; {answer.status_code}, {size:,} bytes")
    assert answer.status_code in statuses, answer.headers
    assert after - before < GROWTH
    assert len(server.workers()) == 2
    assert {worker.status() for worker in server.workers()} <= {psutil.STATUS_SLEEPING, psutil.STATUS_RUNNING}


@pytest.mark.parametrize("name", BOMBS)
def test_refused_at_once(stack: Stack, name: str) -> None:
    make, statuses = BOMBS[name]
    check(stack, name, make(), statuses)


@pytest.mark.parametrize(
    "path", ["/predict?model=lsa", "/predict?model=lsa&stream=true", "/mix-noise?noise_type=white"]
)
def test_what_does_not_say_how_long_it_is(stack: Stack, path: str) -> None:
    """An hour of it used to be enhanced first, for two minutes."""
    began = time.monotonic()
    check(stack, f"flac of 65 minutes that does not say so, {path}", without_total(flac(65 / 60)), (413,), path)
    assert time.monotonic() - began < 30.0


@pytest.mark.faults
@pytest.mark.parametrize("name", SLOW_BOMBS)
def test_bounded(stack: Stack, name: str) -> None:
    make, statuses = SLOW_BOMBS[name]
    check(stack, name, make(), statuses)


@pytest.mark.faults
def test_a_wide_recording_to_mix(stack: Stack) -> None:
    check(stack, "the same for /mix-noise", flac(0.05, 192_000, 8), (413,), "/mix-noise?noise_type=white")
