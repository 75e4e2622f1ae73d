"""Writing where there is no room: an error, never a file that looks whole."""

import contextlib
import errno
import io
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from inference.encode import FORMATS, AudioWriter
from inference.errors import UnacceptableFormat
from tests.api.recordings import noise

FULL = Path("/dev/full")  # takes nothing: every write ends with ENOSPC
SOUND = noise(1.0)
HOUR = 3600 * 192_000


def write(file: BinaryIO, name: str) -> None:
    with AudioWriter(file, FORMATS[name], rate=16000, channels=1) as writer:
        for _ in range(20):
            writer.write(SOUND)


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("buffering", [0, -1], ids=["unbuffered", "buffered"])
@pytest.mark.parametrize("name", FORMATS)
def test_no_room_is_an_error(name: str, buffering: int, capfd: pytest.CaptureFixture[str]) -> None:
    file = FULL.open("r+b", buffering=buffering)
    with pytest.raises(OSError, match="No space left") as raised:
        write(cast(BinaryIO, file), name)
    assert raised.value.errno == errno.ENOSPC
    assert "Traceback" not in capfd.readouterr().err
    with contextlib.suppress(OSError):
        file.close()  # tries to write what is still buffered


def test_a_wav_beyond_its_header_is_refused_before_any_work() -> None:
    with pytest.raises(UnacceptableFormat, match="4 GiB"):
        AudioWriter(io.BytesIO(), FORMATS["wav"], rate=192_000, channels=8, frames=HOUR)
    AudioWriter(io.BytesIO(), FORMATS["flac"], rate=192_000, channels=8, frames=HOUR).close()
    AudioWriter(io.BytesIO(), FORMATS["wav"], rate=16_000, channels=1, frames=3600 * 16_000).close()


def test_a_wav_that_nobody_announced_is_refused_when_it_gets_there() -> None:
    file = io.BytesIO()
    with AudioWriter(file, FORMATS["wav"], rate=16_000, channels=1, largest=2 * len(SOUND) * 2) as writer:
        writer.write(SOUND)
        writer.write(SOUND)
        with pytest.raises(UnacceptableFormat, match="4 GiB"):
            writer.write(SOUND[:1])
    assert len(file.getvalue()) > 2 * len(SOUND) * 2
