"""AudioReader.count: how long a recording is that does not say so."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from inference.audio import AudioReader
from inference.containers.mp3 import DENSEST
from inference.errors import AudioTooLong
from tests.inference.files import decoded, encoded, noise, without_total, without_xing

RATE = 16000


@pytest.mark.parametrize(("container", "subtype"), [("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")])
def test_a_length_can_be_counted_before(container: str, subtype: str) -> None:
    whole = encoded(noise(3 * RATE), RATE, container, subtype)
    data = without_total(whole) if container == "FLAC" else without_xing(whole)
    with AudioReader(io.BytesIO(data), max_seconds=3.5) as reader:
        assert reader.frames is None
        counted = list(reader.count(0.4))
        assert (len(counted), reader.frames) == (-(-counted[-1] // round(0.4 * RATE)), counted[-1])
        assert list(reader.count()) == []
        again = np.concatenate(list(reader.blocks()))
    assert np.array_equal(again, decoded(data))
    with AudioReader(io.BytesIO(data), max_seconds=1) as reader, pytest.raises(AudioTooLong):
        list(reader.count())


def test_nothing_is_counted_that_is_known_or_cannot_be_too_long() -> None:
    samples = noise(RATE)
    mp3 = without_xing(encoded(samples, RATE, "MP3", "MPEG_LAYER_III"))
    assert len(mp3) > 1000
    for data in (encoded(samples, RATE, "FLAC", "PCM_16"), encoded(samples, RATE, "OGG", "VORBIS"), mp3):
        with AudioReader(io.BytesIO(data), max_seconds=60) as reader:
            assert list(reader.count()) == []
    with AudioReader(io.BytesIO(without_total(encoded(samples, RATE, "FLAC", "PCM_16")))) as reader:
        assert list(reader.count()) == [], "without a limit"


@pytest.mark.parametrize("rate", [8000, 12000, 16000, 24000, 48000])
def test_no_mp3_is_denser_than_assumed(rate: int) -> None:
    """The lowest bit rate of each version, as far as the encoder goes."""
    data = encoded(noise(10 * rate), rate, "MP3", "MPEG_LAYER_III", compression_level=0.999, bitrate_mode="CONSTANT")
    assert 0.3 * DENSEST < len(decoded(data)) / len(data) < DENSEST


def test_hours_in_a_few_bytes_cost_no_memory() -> None:
    second = np.zeros((RATE, 1), np.int16)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, format="FLAC") as sound:
        for _ in range(3600):
            sound.write(second)
    bomb = file.getvalue()
    assert len(bomb) < 400_000  # 115 MB of samples
    unknown = io.BytesIO(without_total(bomb))
    tracemalloc.start()
    with AudioReader(unknown, max_seconds=1800) as reader, pytest.raises(AudioTooLong):
        for _ in reader.count():
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6  # a block is 0.64 MB
