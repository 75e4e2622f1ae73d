"""Encodes an answer whose beginning leaves the house before its end is known: no way back to fill a header in.

The encoders write a provisional header, and correct it when the file is closed. Here it is corrected at once, from the
number of frames promised, or says "unknown" in the way of its format: 0xFFFFFFFF in a WAV (what ffmpeg writes into a
pipe), 0 in a FLAC (RFC 9639, 8.2). An Ogg file has no such number: its last page ends it. An MP3 keeps its exact length
in its first frame, which only the end determines; it cannot be streamed without losing the alignment.
"""

import os
import struct
import sys
from typing import BinaryIO, cast

from inference.encode import AudioWriter, Format
from inference.errors import UnacceptableFormat
from inference.samples import Samples

UNKNOWN = 0xFFFFFFFF  # a size in a WAV header that the writer could not know
FLAC_TOTAL_AT = 18  # the 8 bytes whose lower 36 bits are the total of samples (RFC 9639, 8.2)


class StreamWriter:
    """An `AudioWriter` that hands the bytes out as they come.

    `frames` is how many will be written, None where nobody knows. Raises UnacceptableFormat: for MP3, and as
    `AudioWriter` does.
    """

    def __init__(self, format: Format, *, rate: int, channels: int, source_subtype: str, frames: int | None) -> None:
        if format.name == "mp3":
            raise UnacceptableFormat(format.name, "its length is known at the end only, so it cannot be streamed")
        self._format = format
        self._frames = frames
        self._frame_bytes = channels * format.sample_bytes(source_subtype)
        self._sink = _Sink()
        self._writer = AudioWriter(
            cast(BinaryIO, self._sink),
            format,
            rate=rate,
            channels=channels,
            source_subtype=source_subtype,
            largest=sys.maxsize,  # sizes that do not fit say "unknown" here
        )

    def write(self, block: Samples) -> bytes:
        """Appends samples [frames, channels]; the bytes that are settled by now, possibly none."""
        if not len(block):
            return b""  # not even the header: as long as there are no samples, an error may still be told instead
        self._writer.write(block)
        return self._taken()

    def close(self) -> bytes:
        """The last bytes. May be repeated."""
        self._writer.close()
        return self._taken()

    def _taken(self) -> bytes:
        beginning = self._sink.given == 0
        data = self._sink.take()
        if not (beginning and data):
            return data
        if self._format.name == "wav":
            return _with_wav_sizes(bytearray(data), self._frames, self._frame_bytes)
        if self._format.name == "flac":
            return _with_flac_total(bytearray(data), self._frames)
        return data


class _Sink:
    """What the encoder takes for a file: forgets what was taken, and ignores corrections of that."""

    def __init__(self) -> None:
        self.given = 0
        self._kept = bytearray()  # the bytes from `given` on
        self._position = 0

    def write(self, data: bytes) -> int:
        start = self._position - self.given
        self._position += len(data)
        if start >= 0:
            self._kept[start : start + len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.given + len(self._kept)}[whence]
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        data = bytes(self._kept)
        self.given += len(data)
        self._kept.clear()
        return data


def _with_wav_sizes(head: bytearray, frames: int | None, frame_bytes: int) -> bytes:
    """The beginning of a WAV with the sizes of `frames` frames; the table of peaks, not known yet, becomes a blank."""
    position = 12
    while (name := bytes(head[position : position + 4])) != b"data":
        size = int.from_bytes(head[position + 4 : position + 8], "little")
        if name == b"fact" and frames is not None:
            struct.pack_into("<I", head, position + 8, min(frames, UNKNOWN))
        elif name == b"PEAK":
            head[position : position + 4] = b"JUNK"
        position += 8 + size
    samples = UNKNOWN if frames is None else frames * frame_bytes
    whole = position + samples + samples % 2
    fits = whole < UNKNOWN
    struct.pack_into("<I", head, 4, whole if fits else UNKNOWN)
    struct.pack_into("<I", head, position + 4, samples if fits else UNKNOWN)
    return bytes(head)


def _with_flac_total(head: bytearray, frames: int | None) -> bytes:
    if frames is not None and frames < 1 << 36:
        (word,) = struct.unpack_from(">Q", head, FLAC_TOTAL_AT)
        struct.pack_into(">Q", head, FLAC_TOTAL_AT, word | frames)
    return bytes(head)
