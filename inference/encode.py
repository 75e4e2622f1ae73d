"""Encodes blocks of samples to WAV, FLAC, Ogg Vorbis or MP3 in a seekable binary file object."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
import soundfile

from inference.errors import UnacceptableFormat
from inference.samples import Samples
from inference.watched import WatchedFile

LARGEST_WAV = (1 << 32) - (1 << 16)  # bytes of samples: the header counts them in 32 bits, itself included
WRITE_FRAMES = 1 << 16  # libvorbis copies what it is given to the stack: 60 s at once end the process
MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format recordings are written in.

    name:         what clients call it
    media_type:   of an HTTP answer
    extension:    of a file name, with the dot
    container:    soundfile's name of the container
    subtype:      soundfile's name of the sample format, unless `deeper` has another one for the source's sample format
    max_channels: how many the format, as written here, can hold
    rates:        in Hz; None where all from 8,000 to 192,000 are possible
    coarse_above: in Hz; beyond it the rate must be a multiple of 10 Hz
    """

    name: str
    media_type: str
    extension: str
    container: str
    subtype: str
    deeper: Mapping[str, str] = field(default_factory=dict)
    max_channels: int = 8
    rates: tuple[int, ...] | None = None
    coarse_above: int | None = None

    def subtype_for(self, source_subtype: str) -> str:
        """The sample format for audio that was read as `source_subtype`: no shallower, where the format can."""
        return self.deeper.get(source_subtype, self.subtype)

    def sample_bytes(self, source_subtype: str) -> int:
        """Bytes of one sample of audio that was read as `source_subtype`; 0 where it is compressed."""
        return 0 if self.name != "wav" else _SAMPLE_BYTES[self.subtype_for(source_subtype)]

    def require(self, rate: int, channels: int) -> None:
        """Raises UnacceptableFormat when audio of this rate (Hz) and channel count does not fit."""
        if channels > self.max_channels:
            raise UnacceptableFormat(self.name, f"it has {channels} channels, the most are {self.max_channels}")
        if self.rates is not None and rate not in self.rates:
            possible = ", ".join(map(str, self.rates))
            raise UnacceptableFormat(self.name, f"its sampling rate is {rate} Hz, possible are {possible}")
        if self.coarse_above is not None and rate > self.coarse_above and rate % 10:
            raise UnacceptableFormat(self.name, f"its sampling rate of {rate} Hz is no multiple of 10 Hz")


_SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}
_WAV_DEPTHS = {"PCM_24": "PCM_24", "PCM_32": "FLOAT", "FLOAT": "FLOAT", "DOUBLE": "FLOAT"}
_FLAC_DEPTHS = dict.fromkeys(_WAV_DEPTHS, "PCM_24")

FORMATS: Mapping[str, Format] = {
    format.name: format
    for format in (
        Format(
            name="wav",
            media_type="audio/wav",
            extension=".wav",
            container="WAV",
            subtype="PCM_16",
            deeper=_WAV_DEPTHS,
        ),
        Format(
            name="flac",
            media_type="audio/flac",
            extension=".flac",
            container="FLAC",
            subtype="PCM_16",
            deeper=_FLAC_DEPTHS,
            coarse_above=65535,  # the frame header has 16 bits for Hz, and for tens of Hz
        ),
        Format(name="ogg", media_type="audio/ogg", extension=".ogg", container="OGG", subtype="VORBIS"),
        Format(
            name="mp3",
            media_type="audio/mpeg",
            extension=".mp3",
            container="MP3",
            subtype="MPEG_LAYER_III",
            max_channels=2,
            rates=MPEG_RATES,
        ),
    )
}


class AudioWriter:
    """Writes blocks of samples in one of FORMATS; a context manager, and `close` completes the file.

    The decoded length is exactly what was written, in every format, where the reader heeds the gapless information of
    an MP3 (libsndfile and every browser do; others hear up to 2,400 samples more). FLAC and Ogg files need one frame at
    least. Ogg and MP3 keep no depth. `source_subtype` is the `subtype` of the AudioReader the samples came from.

    clipped_samples: how many samples beyond full scale were set to it. WAV of subtype FLOAT alone holds them unchanged.

    Raises UnacceptableFormat when the format cannot hold the rate or the channels, or `frames` (how many will be
    written, where that is known) do not fit into `largest` bytes of a WAV; `write` raises it when that turns out later.
    `write` and `close` raise what `file` raises, such as OSError when the disk is full.
    """

    def __init__(
        self,
        file: BinaryIO,
        format: Format,
        *,
        rate: int,
        channels: int,
        source_subtype: str = "PCM_16",
        frames: int | None = None,
        largest: int = LARGEST_WAV,
    ) -> None:
        format.require(rate, channels)
        self._name = format.name
        self._frame_bytes = channels * format.sample_bytes(source_subtype)
        self._bytes_left = largest
        self._require_room(frames or 0)
        self.subtype = format.subtype_for(source_subtype)
        self.clipped_samples = 0
        self._file = WatchedFile(file)
        self._sound = soundfile.SoundFile(
            self._file, "w", samplerate=rate, channels=channels, format=format.container, subtype=self.subtype
        )

    def write(self, block: Samples) -> None:
        """Appends samples of shape [frames, channels]. ValueError for NaN or infinity: that is a bug of the caller."""
        if not len(block):
            return
        self._require_room(len(block))
        self._bytes_left -= len(block) * self._frame_bytes
        ready = self._prepared(block)
        for start in range(0, len(ready), WRITE_FRAMES):
            try:
                self._sound.write(ready[start : start + WRITE_FRAMES])
            except (AssertionError, soundfile.LibsndfileError):  # it asserts that all was written
                self._file.check()
                raise
            self._file.check()

    def close(self) -> None:
        """Completes the file, whose position is undefined afterwards; the file object stays open. May be repeated."""
        self._sound.close()
        self._file.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _require_room(self, frames: int) -> None:
        if frames * self._frame_bytes > self._bytes_left:
            raise UnacceptableFormat(
                self._name, "it is more than 4 GiB; flac can hold it, and so can a streamed answer"
            )

    def _prepared(self, block: Samples) -> npt.NDArray[np.float32 | np.int16 | np.int32]:
        """The block as the encoder takes it, without a sample beyond full scale (FLOAT excepted).

        libsndfile's own conversion is left out: it writes NaN as -1.0 and cuts 24 bits off instead of rounding.
        """
        lowest, highest = float(block.min()), float(block.max())
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise ValueError("samples to be written hold NaN or infinity")
        if self.subtype == "FLOAT":
            return block
        if lowest < -1 or highest > 1:
            self.clipped_samples += int(np.count_nonzero(np.abs(block) > 1))
            block = np.clip(block, -1, 1)
        if self.subtype == "PCM_16":
            return _integers(block, 16).astype(np.int16)
        if self.subtype == "PCM_24":
            return np.left_shift(_integers(block, 24).astype(np.int32), 8, dtype=np.int32)
        return block


def _integers(block: Samples, bits: int) -> Samples:
    """Samples within full scale as whole numbers of `bits` bits, still in float32 (which holds 24 bits exactly)."""
    steps = 1 << (bits - 1)
    scaled: Samples = block * np.float32(steps)
    np.rint(scaled, out=scaled)
    np.minimum(scaled, np.float32(steps - 1), out=scaled)
    return scaled
