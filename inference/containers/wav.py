"""WAV (RIFF, and RF64 beyond 4 GiB: EBU Tech 3306): the chunks up to the samples.

Programs that write into a pipe cannot go back to fill the sizes in, and leave 0, 0xFFFFFFFF (ffmpeg) or some 0x7FFFF000
(sox, espeak-ng). Such a recording reaches to the end of the file. Every other size is a promise, and is held to.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from inference.containers.container import Container
from inference.containers.splice import Readable, Splice
from inference.errors import EmptyAudio, NotAudio, TruncatedAudio, UnsupportedCodec

# wFormatTag (Microsoft's mmreg.h) of what the decoder reads; telephone recorders use the last five.
CODECS = {1: "PCM", 3: "IEEE float", 6: "A-law", 7: "mu-law", 2: "MS ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10"}
EXTENSIBLE = 0xFFFE  # the tag proper stands at the beginning of a GUID
OPEN_SIZE = 0x7FFFF000  # data sizes from here on are placeholders of writers that could not know
UNKNOWN = 0xFFFFFFFF  # RF64: the size is in the ds64 chunk
MAX_CHUNKS = 1000  # real files have under twenty
FORMAT_BYTES = 256  # the longest format chunks (ADPCM tables) have 50


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start: int  # of the body
    size: int


def examine(file: Readable, length: int) -> Container:
    """Checks a WAV of `length` bytes: NotAudio, UnsupportedCodec, EmptyAudio, TruncatedAudio (in bytes)."""
    form = b""
    long_size = None
    for chunk in _chunks(file):
        if chunk.start + chunk.size > length and chunk.name != b"data":
            break
        if chunk.name == b"fmt ":
            form = _body(file, chunk, FORMAT_BYTES)
            _check_codec(form)
        elif chunk.name == b"ds64":
            long_size = int.from_bytes(_body(file, chunk, 16)[8:], "little")
        elif chunk.name == b"data":
            if not form:
                raise NotAudio("the WAV header has no format before the samples")
            return _container(file, length, form, chunk, long_size)
    raise _without_samples(file, length)


def _chunks(file: Readable) -> Iterator[_Chunk]:
    """The chunks from the first to the one with the samples."""
    position = 12
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        chunk = _Chunk(head[:4], position + 8, int.from_bytes(head[4:], "little"))
        yield chunk
        position = chunk.start + chunk.size + chunk.size % 2


def _body(file: Readable, chunk: _Chunk, most: int) -> bytes:
    file.seek(chunk.start)
    return file.read(min(chunk.size, most))


def _check_codec(form: bytes) -> None:
    if len(form) < 16:
        raise NotAudio("the format in the WAV header is incomplete")
    tag = _u16(form, 0)
    if tag == EXTENSIBLE and len(form) >= 26:
        tag = _u16(form, 24)
    if tag not in CODECS:
        raise UnsupportedCodec(f"WAV with the codec 0x{tag:04x}")


def _container(file: Readable, length: int, form: bytes, data: _Chunk, long_size: int | None) -> Container:
    there = length - data.start
    promised = data.size if long_size is None or data.size != UNKNOWN else long_size
    open_size = OPEN_SIZE if long_size is None else 1 << 62
    stream: Readable = file
    if there == 0 or (promised == 0 and _is_chunk(file, data.start, there)):
        raise EmptyAudio()
    if promised == 0 or (promised >= open_size and long_size is not None):
        # libsndfile takes 0 at its word; with the size set to "unknown" it reads to the end.
        stream = Splice(_open_header(form), file, data.start)
    elif promised < open_size and there < promised:
        raise TruncatedAudio(promised, there, "bytes of samples")
    return Container(name="wav", stream=stream, rate=int.from_bytes(form[4:8], "little"), channels=_u16(form, 2))


def _is_chunk(file: Readable, start: int, there: int) -> bool:
    """Whether an empty data chunk is followed by a chunk of metadata, and not by the samples of a stream."""
    file.seek(start)
    head = file.read(8)
    return head[:4].isascii() and head[:4].isalnum() and int.from_bytes(head[4:], "little") + 8 <= there


def _open_header(form: bytes) -> bytes:
    size = struct.pack("<I", UNKNOWN)
    return b"RIFF" + size + b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + size


def _without_samples(file: Readable, length: int) -> TruncatedAudio | NotAudio:
    """A header that ends before the samples was cut off, if its own size says so."""
    file.seek(4)
    promised = int.from_bytes(file.read(4), "little") + 8
    if length < promised < OPEN_SIZE:
        return TruncatedAudio(promised, length, "bytes")
    return NotAudio("the WAV header announces no samples")


def _u16(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "little")
