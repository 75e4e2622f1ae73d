"""FLAC (RFC 9639): the STREAMINFO block, always the first and 34 bytes long."""

from inference.containers.container import Container
from inference.containers.splice import Readable
from inference.errors import NotAudio, TruncatedAudio

HEADER_BYTES = 42  # "fLaC", 4 bytes of block header, STREAMINFO
MAX_BLOCKS = 1000  # of metadata; real files have under ten


def examine(file: Readable, length: int) -> Container:
    """Checks a FLAC of `length` bytes: NotAudio, TruncatedAudio. The samples are counted while decoding."""
    if length < HEADER_BYTES:
        raise TruncatedAudio(HEADER_BYTES, length, "bytes")
    file.seek(0)
    header = file.read(HEADER_BYTES)
    if header[4] & 0x7F or header[5:8] != b"\0\0\x22":
        raise NotAudio("the FLAC header does not begin with STREAMINFO")
    _check_metadata(file, length)
    bits = int.from_bytes(header[18:26], "big")  # rate 20, channels - 1: 3, depth - 1: 5, total 36
    total = bits & (1 << 36) - 1
    return Container(name="flac", stream=file, counted=total > 0, rate=bits >> 44, channels=(bits >> 41 & 7) + 1)


def _check_metadata(file: Readable, length: int) -> None:
    """All blocks of metadata must be there: the decoder takes a file without their end for one without samples."""
    position = 4
    for _ in range(MAX_BLOCKS):
        file.seek(position)
        head = file.read(4)
        position += 4 + int.from_bytes(head[1:], "big")
        if position > length or len(head) < 4:
            raise TruncatedAudio(position, length, "bytes")
        if head[0] & 0x80:  # the last one
            return
    raise NotAudio("the FLAC header has no end")
