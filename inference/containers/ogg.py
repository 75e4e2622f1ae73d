"""Ogg (RFC 3533): the codec in the first page, and whether the last page is complete.

An Ogg stream has no total in front. Its pages say how long they are, so a file cut anywhere but between two pages
breaks the promise of its last page. A missing end-of-stream mark is accepted: RFC 7845 section 3 asks decoders to be
prepared for it, and stopped recorders leave it out. A page lost in between shows in the sample count of the last one.
"""

import os

from inference.containers.container import Container
from inference.containers.splice import Readable
from inference.errors import NotAudio, TruncatedAudio, UnsupportedCodec

PAGE_HEADER_BYTES = 27  # without the table of segments that follows
MAX_PAGE_BYTES = PAGE_HEADER_BYTES + 255 + 255 * 255
SLACK = 5760  # frames of the longest packet (Opus, 120 ms at 48 kHz): rounding and trimming at the ends
_OTHER_CODECS = {b"\x7fFLAC": "Ogg FLAC", b"Speex": "Ogg Speex", b"\x80theora": "Ogg Theora", b"fishead": "Ogg video"}


def examine(file: Readable, length: int) -> Container:
    """Checks an Ogg of `length` bytes: NotAudio, UnsupportedCodec, TruncatedAudio (in bytes)."""
    file.seek(0)
    page = file.read(MAX_PAGE_BYTES)
    _check_last_page(file, length)
    packet = page[PAGE_HEADER_BYTES + page[26] :]
    if packet.startswith(b"OpusHead"):
        return Container(name="ogg", stream=file, slack=SLACK)
    if packet.startswith(b"\x01vorbis") and len(packet) >= 16:
        rate = int.from_bytes(packet[12:16], "little")
        return Container(name="ogg", stream=file, slack=SLACK, rate=rate, channels=packet[11])
    for signature, codec in _OTHER_CODECS.items():
        if packet.startswith(signature):
            raise UnsupportedCodec(codec)
    raise NotAudio("the Ogg stream is of no known codec")


def _check_last_page(file: Readable, length: int) -> None:
    file.seek(0 if length < MAX_PAGE_BYTES else length - MAX_PAGE_BYTES, os.SEEK_SET)
    tail = file.read(MAX_PAGE_BYTES)
    start = tail.rfind(b"OggS")
    if start < 0:
        return  # not at the end of an Ogg stream: something is appended, and the decoder will find its way
    page = tail[start:]
    promised = _page_bytes(page)
    rest = page[promised:]
    if rest and b"OggS".startswith(rest):
        promised += PAGE_HEADER_BYTES  # the cut went through the mark of one more page
    if len(page) < promised:
        raise TruncatedAudio(length - len(page) + promised, length, "bytes")


def _page_bytes(page: bytes) -> int:
    """What the page says of its own length, as far as it is there to say so."""
    if len(page) < PAGE_HEADER_BYTES:
        return PAGE_HEADER_BYTES
    segments = page[26]
    return PAGE_HEADER_BYTES + segments + sum(page[PAGE_HEADER_BYTES : PAGE_HEADER_BYTES + segments])
