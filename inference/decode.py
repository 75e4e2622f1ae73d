"""Decodes recordings, block by block, and checks that they are what their headers say."""

import math
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import soundfile

from inference.containers import Container, identify
from inference.errors import (
    AudioTooLong,
    EmptyAudio,
    NonFiniteAudio,
    NotAudio,
    TruncatedAudio,
    UnsupportedCodec,
    UnsupportedShape,
)
from inference.samples import LARGEST, Samples

BLOCK_SECONDS = 5.0  # long enough that the cost of a block is its samples
MAX_BLOCK_SAMPLES = 1 << 22  # 16 MiB: the bound of a block where rate and channel count are high
LOWEST_RATE = 8000  # Hz
HIGHEST_RATE = 192000  # Hz
MAX_CHANNELS = 8
FLAC_TAIL_BYTES = 1 << 14  # a cut frame may hold what looks like the next one: the decoder then stops that much earlier

_UNKNOWN_FRAMES = 1 << 62  # libsndfile's SF_COUNT_MAX and its kin: no number
_UNSUPPORTED = (4, 18)  # libsndfile: SF_ERR_UNSUPPORTED_ENCODING, SFE_UNIMPLEMENTED


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile is not typed
    """A SoundFile that is read from front to back.

    soundfile seeks to where it already is after every read. With Opus this is not where it was: blocks of 1,777 frames
    differ from the whole by 0.36 of full scale. A file that calls itself not seekable is left alone.
    """

    def seekable(self) -> bool:
        return False


class AudioReader:
    """Decodes WAV, FLAC, Ogg Vorbis, Ogg Opus or MP3 from a seekable binary file object; a context manager.

    rate       sampling rate in Hz, 8,000 to 192,000
    channels   1 to `max_channels`
    frames     how many the header promises, or None where it does not, until `count` has found out
    subtype    soundfile's name of the sample format: PCM_16, PCM_24, FLOAT, VORBIS, MPEG_LAYER_III ...
    container  "wav", "flac", "ogg" or "mp3"

    Raises on opening: EmptyAudio, NotAudio, UnsupportedCodec, UnsupportedShape, TruncatedAudio (where the header alone
    shows it), and AudioTooLong when more than `max_seconds` are promised, or more than `max_samples` in all channels.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        max_seconds: float | None = None,
        max_channels: int = MAX_CHANNELS,
        max_samples: float = math.inf,
    ) -> None:
        found = identify(file)
        _check_shape(found.rate, found.channels, max_channels)
        self._found = found
        self._sound = _open(found)
        try:
            _check_shape(self._sound.samplerate, self._sound.channels, max_channels)
            self.container: str = found.name
            self.subtype: str = self._sound.subtype
            self.rate: int = self._sound.samplerate
            self.channels: int = self._sound.channels
            self.frames: int | None = _promised(found, self._sound.frames)
            self._max_seconds = min(
                math.inf if max_seconds is None else max_seconds, max_samples / (self.rate * self.channels)
            )
            self._check_length(self.frames or 0)
        except BaseException:
            self.close()
            raise

    def count(self, seconds: float = BLOCK_SECONDS) -> Iterator[int]:
        """Where the header does not say how long the recording is, and it may be longer than the limit: counts.

        It is decoded once for that, and stands at its beginning again afterwards. Yields how many frames were counted
        so far, after every block; raises what `blocks` raises. Otherwise there is nothing to do.
        """
        if self.frames is not None or self._found.most <= self._max_seconds * self.rate:
            return
        count = 0
        for block in self.blocks(seconds):
            count += len(block)
            yield count
        self._sound.close()
        self._sound = _open(self._found)
        self.frames = count

    def blocks(self, seconds: float = BLOCK_SECONDS) -> Iterator[Samples]:
        """The recording from its beginning, once, in arrays [frames, channels] of `seconds` (the last is shorter).

        What the header promised is checked against what is there. Raises NotAudio, TruncatedAudio, EmptyAudio,
        NonFiniteAudio, AudioTooLong; blocks that came before the flaw have been given out by then.
        """
        size = max(1, min(round(seconds * self.rate), MAX_BLOCK_SAMPLES // self.channels))
        count = 0
        while wanted := size if self.frames is None else min(size, self.frames - count):
            block = self._read(wanted, count)
            if not len(block):
                break
            _check_values(block, count)
            count += len(block)
            self._check_length(count)
            yield block
        if count == 0:
            raise EmptyAudio()
        if self.frames is not None and self.frames - count > self._found.slack:
            raise TruncatedAudio(self.frames, count)

    def close(self) -> None:
        """Gives the decoder up; the file object stays open. May be called again."""
        self._sound.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, wanted: int, count: int) -> Samples:
        """Up to `wanted` frames; `count` have been read before."""
        block = np.empty((wanted, self.channels), np.float32)
        if self.container == "flac":
            block.fill(np.nan)  # so that _refusal can tell how far the decoder came
        try:
            read: Samples = self._sound.read(out=block)
        except soundfile.LibsndfileError as error:
            raise self._refusal(block, count) from error
        return read

    def _refusal(self, block: Samples, count: int) -> NotAudio | TruncatedAudio:
        """Only the FLAC decoder reports a missing end as an error, the same as damage; where it stopped tells which."""
        at_end = len(self._found.stream.read(FLAC_TAIL_BYTES)) < FLAC_TAIL_BYTES
        if self.container == "flac" and self.frames is not None and at_end:
            return TruncatedAudio(self.frames, count + int(np.count_nonzero(np.isfinite(block[:, 0]))))
        return NotAudio(f"the {self.container} decoder finds damage after frame {count}")

    def _check_length(self, frames: int) -> None:
        if frames > self._max_seconds * self.rate:
            raise AudioTooLong(self._max_seconds)


def _open(found: Container) -> _ForwardFile:
    found.stream.seek(0)
    try:
        return _ForwardFile(found.stream)
    except soundfile.LibsndfileError as error:
        if error.code in _UNSUPPORTED:
            raise UnsupportedCodec(f"This encoding in {found.name}") from error
        raise NotAudio(f"the {found.name} decoder refuses it") from error


def _promised(found: Container, frames: int) -> int | None:
    if not found.counted or frames >= _UNKNOWN_FRAMES:
        return None
    if frames == 0:
        raise EmptyAudio()
    return frames


def _check_shape(rate: int | None, channels: int | None, max_channels: int) -> None:
    if rate is not None and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UnsupportedShape("sampling rate", rate, LOWEST_RATE, HIGHEST_RATE)
    if channels is not None and not 1 <= channels <= max_channels:
        raise UnsupportedShape("number of channels", channels, 1, max_channels)


def _check_values(block: Samples, count: int) -> None:
    if len(block) == 0 or (block.min() >= -LARGEST and block.max() <= LARGEST):  # false with a NaN among them
        return
    sane = np.abs(block) <= LARGEST
    raise NonFiniteAudio(count + int(np.argmin(sane.all(axis=1))))
