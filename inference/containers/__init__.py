"""Recognises a recording by its first bytes and checks its frame, before any decoder sees it.

One container a file. Each examines the header alone: which codec it is, what it promises, whether that much is there.
What is not on the list never reaches the decoder: the bytes come from strangers, and libsndfile also knows some twenty
rarely exercised formats (CAF, SDS, PAF ...) that no client of this project needs.
"""

import os

from inference.containers import flac, mp3, ogg, wav
from inference.containers.container import Container
from inference.containers.splice import Readable, Splice
from inference.errors import EmptyAudio, NotAudio, UnsupportedCodec

__all__ = ["Container", "identify"]

HEAD_BYTES = 16  # as many as the longest signature below needs
MAX_ID3_TAGS = 8  # taggers that append instead of replacing leave two or three

_EXAMINERS = {"wav": wav.examine, "flac": flac.examine, "ogg": ogg.examine, "mp3": mp3.examine}

# (offset, bytes, what it is): recordings people do send, so that the answer can name what they sent.
_UNREADABLE = (
    (4, b"ftyp", "MP4/M4A (AAC)"),
    (4, b"moov", "QuickTime"),
    (0, b"ADIF", "AAC"),
    (0, b"\x1a\x45\xdf\xa3", "WebM/Matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA (ASF)"),
    (0, b"#!AMR", "AMR"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF-C"),
    (8, b"AVI ", "AVI"),
    (0, b"RIFX", "RIFX (big-endian WAV)"),
    (0, b"riff\x2e\x91\xcf\x11", "Wave64"),
    (0, b"caff", "CAF"),
    (0, b".snd", "AU"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"FLV\x01", "Flash video"),
    (0, b"MThd", "MIDI"),
)


def identify(file: Readable) -> Container:
    """The container of a seekable file, its header checked.

    Raises EmptyAudio (no bytes, or a header that announces no samples), NotAudio, UnsupportedCodec, TruncatedAudio.
    """
    file.seek(0, os.SEEK_END)
    length = file.tell()
    if length == 0:
        raise EmptyAudio("bytes")
    start, head = _after_id3(file)
    if start:
        file, length = Splice(b"", file, start), length - start
    return _EXAMINERS[_name(head)](file, length)


def _after_id3(file: Readable) -> tuple[int, bytes]:
    """Where the audio begins behind ID3v2 tags (which MP3 and, wrongly, some FLAC files carry), and its first bytes."""
    start = 0
    for _ in range(MAX_ID3_TAGS):
        file.seek(start)
        head = file.read(HEAD_BYTES)
        if not head.startswith(b"ID3") or len(head) < 10:
            break
        size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        start += 10 + size
    return start, head


def _name(head: bytes) -> str:
    """The key of the examiner for a file that begins with these bytes."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    for offset, signature, format_name in _UNREADABLE:
        if head[offset:].startswith(signature):
            raise UnsupportedCodec(format_name)
    if mp3.is_sync(head):
        return "mp3"
    raise NotAudio()
