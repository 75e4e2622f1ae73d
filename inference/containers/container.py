"""What the examination of a container finds out."""

import math
from dataclasses import dataclass

from inference.containers.splice import Readable


@dataclass(frozen=True, kw_only=True)
class Container:
    """A recognised recording, ready for the decoder.

    name:      "wav", "flac", "ogg" or "mp3"
    stream:    what the decoder is to read: the file itself, or a view of it with a corrected header
    counted:   the header says how many frames there are; otherwise the decoder's number is a guess
    most:      of a file that is not counted: no more frames than this are in its bytes; infinite where nothing tells
    slack:     how many frames fewer than promised are still no truncation
    rate, channels: as the header has them, not yet checked against any limit; None where only the decoder knows
    """

    name: str
    stream: Readable
    counted: bool = True
    most: float = math.inf
    slack: int = 0
    rate: int | None = None
    channels: int | None = None
