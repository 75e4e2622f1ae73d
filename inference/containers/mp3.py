"""MP3 (ISO 11172-3, 13818-3): the first frame, and whether a Xing, Info or VBRI header in it counts the frames.

An MP3 without such a header does not say how long it is. The decoder then guesses from the bit rate of the first
frame, which with a variable bit rate is far off (measured: 0.6 times and 13 times the length), and stops at its guess.
In front of such a stream goes a header of our own with a count beyond every file, so that it is read to its end.
"""

import struct

from inference.containers.container import Container
from inference.containers.splice import Readable, Splice
from inference.errors import NotAudio, UnsupportedCodec

FRAME_SAMPLES = 1152
SLACK = 2 * FRAME_SAMPLES  # encoders differ in whether the frame of the header itself counts
DENSEST = 24  # samples of a channel a byte: 576 in the 24 bytes of 8 kbit/s at 24 kHz, the most of all versions
ENDLESS_FRAMES = 1 << 30  # 1.2e12 samples
HAS_FRAME_COUNT = 1  # flag of the Xing header

_KBIT_INDEX = 9  # of the added frame: 128 kbit/s in MPEG-1, 80 kbit/s otherwise
_RATES = (44100, 48000, 32000)  # of MPEG-1; a half in MPEG-2, a quarter in MPEG-2.5
_HEAD_BYTES = 64


def is_sync(head: bytes) -> bool:
    """Whether the bytes begin with the header of an MPEG audio frame: 11 bits set, a version, a bit rate, a rate.

    Raises UnsupportedCodec where it is a kin: AAC in ADTS, or MPEG layer I or II.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if version >= 2 and layer == 0:
        raise UnsupportedCodec("AAC")
    if version == 1 or layer == 0 or head[2] >> 4 in (0, 15) or head[2] >> 2 & 3 == 3:
        return False
    if layer > 1:
        raise UnsupportedCodec(f"MPEG layer {'I' * (4 - layer)}")
    return True


def examine(file: Readable, length: int) -> Container:
    """Checks an MP3 of `length` bytes: NotAudio. The samples are counted while decoding."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        raise NotAudio(f"{length} bytes hold no MP3 frame")
    if _has_frame_count(head):
        return Container(name="mp3", stream=file, slack=SLACK)
    return Container(
        name="mp3", stream=Splice(_endless_frame(head), file, 0), counted=False, most=float(length * DENSEST)
    )


def _has_frame_count(head: bytes) -> bool:
    xing = head[_xing_offset(head) :]
    flags = int.from_bytes(xing[4:8], "big")
    return (xing[:4] in (b"Xing", b"Info") and bool(flags & HAS_FRAME_COUNT)) or head[36:40] == b"VBRI"


def _xing_offset(head: bytes) -> int:
    """Where a Xing header stands: behind the side information, shorter in MPEG-2 and in mono."""
    mpeg1, mono = head[1] >> 3 & 3 == 3, head[3] >> 6 == 3
    return 4 + ((17 if mono else 32) if mpeg1 else (9 if mono else 17))


def _endless_frame(head: bytes) -> bytes:
    """A frame like the first one, silent, with a Xing header that counts ENDLESS_FRAMES."""
    version, rate_index = head[1] >> 3 & 3, head[2] >> 2 & 3
    rate = _RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    size = 144 * 128000 // rate if version == 3 else 72 * 80000 // rate
    mark = bytes([0xFF, head[1] | 1, _KBIT_INDEX << 4 | rate_index << 2, head[3]])  # no checksum, no padding
    frame = mark.ljust(_xing_offset(head), b"\0") + b"Xing" + struct.pack(">II", HAS_FRAME_COUNT, ENDLESS_FRAMES)
    return frame.ljust(size, b"\0")
