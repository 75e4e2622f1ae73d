"""Every error the library raises on purpose, as one tree.

    HushError
    ├── AudioError                 the recording given cannot be used
    │   ├── NotAudio               no known container, or the decoder refuses it
    │   ├── UnsupportedCodec       a known container or codec that is not readable here (m4a/AAC, AIFF, WMA ...)
    │   ├── TruncatedAudio         the header promises more than there is
    │   ├── EmptyAudio             no bytes, or no samples
    │   ├── NonFiniteAudio         a sample is NaN, infinite or absurdly large
    │   ├── UnsupportedShape       sampling rate or channel count out of range
    │   ├── AudioTooShort          shorter than one frame of the transform
    │   └── AudioTooLong           longer than the limit of the caller
    ├── UnacceptableFormat         the output format asked for cannot hold this audio
    ├── UnknownNoiseType
    ├── UnknownModel
    └── StoreError                 the folder of models, or of noise recordings, is unusable: the start stops

The text of an error is a sentence meant for the client; what it was made from is kept in attributes, so that a caller
never has to parse the sentence. The HTTP status of each is decided elsewhere: nothing here knows of HTTP.
"""

from collections.abc import Iterable

READABLE = ("WAV", "FLAC", "Ogg Vorbis", "Ogg Opus", "MP3")


class HushError(Exception):
    """Root of the tree: an expected failure with a text that may be shown to the client."""


class AudioError(HushError):
    """The recording given cannot be used."""


class NotAudio(AudioError):
    """The bytes are of no known audio container, or the decoder refuses them."""

    def __init__(self, reason: str = "the bytes are of no known audio container") -> None:
        self.reason = reason
        super().__init__(f"The file cannot be decoded as audio: {reason}.")


class UnsupportedCodec(AudioError):
    """The container or codec is recognised, but cannot be read here; `readable` names what can."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.readable = READABLE
        super().__init__(f"{codec} cannot be read. Readable are {_listed(READABLE)}.")


class TruncatedAudio(AudioError):
    """The header promises more than there is: `promised` and `found` count the same `unit` (frames or bytes)."""

    def __init__(self, promised: int, found: int, unit: str = "frames") -> None:
        self.promised = promised
        self.found = found
        self.unit = unit
        super().__init__(f"The file is truncated: its header promises {promised} {unit} and {found} are there.")


class EmptyAudio(AudioError):
    """There are no bytes, or no samples."""

    def __init__(self, missing: str = "samples") -> None:
        self.missing = missing
        super().__init__(f"The file is empty: it holds no {missing}.")


class NonFiniteAudio(AudioError):
    """A sample is NaN, infinite or beyond `samples.LARGEST`; `frame` is the index of the first such frame."""

    def __init__(self, frame: int) -> None:
        self.frame = frame
        super().__init__(f"The audio holds a value that is no finite number of a sane size, at frame {frame}.")


class UnsupportedShape(AudioError):
    """A property of the stream (`what`) has a `value` outside `lowest` to `highest`."""

    def __init__(self, what: str, value: int, lowest: int, highest: int) -> None:
        self.what = what
        self.value = value
        self.lowest = lowest
        self.highest = highest
        super().__init__(f"The {what} is {value}; from {lowest} to {highest} is possible.")


class AudioTooShort(AudioError):
    """The whole recording has `frames` frames, fewer than the `minimum`."""

    def __init__(self, frames: int, minimum: int) -> None:
        self.frames = frames
        self.minimum = minimum
        super().__init__(f"The audio has {frames} frames; at least {minimum} are needed.")


class AudioTooLong(AudioError):
    """The recording is longer than `seconds_limit` seconds."""

    def __init__(self, seconds_limit: float) -> None:
        self.seconds_limit = seconds_limit
        super().__init__(f"The audio is longer than the limit of {seconds_limit:g} seconds.")


class UnacceptableFormat(HushError):
    """The output format asked for (`format`) cannot hold this audio, for the `reason` given."""

    def __init__(self, format: str, reason: str) -> None:
        self.format = format
        self.reason = reason
        super().__init__(f"The format {format} cannot hold this audio: {reason}.")


class UnknownNoiseType(HushError):
    """No noise of this type; `known` lists those there are."""

    def __init__(self, noise_type: str, known: Iterable[str]) -> None:
        self.noise_type = noise_type
        self.known = tuple(known)
        super().__init__(f"There is no noise type {noise_type!r}. Known are {_listed(self.known)}.")


class UnknownModel(HushError):
    """No model has this key or label; `known` lists the keys there are."""

    def __init__(self, key: str, known: Iterable[str]) -> None:
        self.key = key
        self.known = tuple(known)
        super().__init__(f"There is no model {key!r}. Known are {_listed(self.known)}.")


class StoreError(HushError):
    """The folder of models (or of noise recordings) is unusable; the text says what is wrong and in which file."""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
