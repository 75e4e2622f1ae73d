"""Recordings of noise in a folder: which there are, and excerpts of any length and rate from them."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from inference.audio import AudioReader
from inference.errors import AudioError, StoreError

Signal = npt.NDArray[np.float64]

SHORTEST_SECONDS = 0.5
CROSSFADE_SECONDS = 0.05  # where a short recording is repeated
MAX_CHANNELS = 64  # microphone arrays are welcome; the first channel is used
_NUMBER_AT_END = re.compile(r"(?<=.)[-_ ]?\d+$")


@dataclass(frozen=True)
class Recording:
    """A readable recording of `frames` frames at `rate` Hz."""

    path: Path
    rate: int
    frames: int

    def excerpt(self, frames: int, rate: int, generator: np.random.Generator) -> Signal:
        """`frames` frames at `rate` Hz from a random place, repeated with crossfades where the recording is too short.

        Raises StoreError when the file cannot be read any more, or the excerpt is silent.
        """
        needed = -(-frames * self.rate // rate) + 1
        if needed <= self.frames:
            noise = self._read(int(generator.integers(self.frames - needed + 1)), needed)
        else:
            noise = _repeated(self._read(0, self.frames), needed, round(CROSSFADE_SECONDS * self.rate), generator)
        if not np.any(noise):
            raise StoreError(f"The noise recording {self.path} is silent.")
        resampled: Signal = soxr.resample(noise, self.rate, rate)
        return resampled[:frames]

    def _read(self, start: int, frames: int) -> Signal:
        try:
            with soundfile.SoundFile(self.path) as sound:
                sound.seek(start)
                samples: Signal = sound.read(frames, dtype="float64", always_2d=True)
        except (OSError, soundfile.LibsndfileError) as error:
            raise StoreError(f"The noise recording {self.path} cannot be read: {error}") from error
        return samples[:, 0]


def find_recordings(folder: Path) -> dict[str, list[Recording]]:
    """The recordings of each category (see NoiseLibrary), in the order of their paths. Raises StoreError."""
    if not folder.is_dir():
        raise StoreError(f"There is no folder of noise recordings {folder}.")
    found: dict[str, list[Recording]] = defaultdict(list)
    spelling: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or not path.is_file():
            continue
        recording = _opened(path)
        if recording is not None:
            name = parts[0] if len(parts) > 1 else _NUMBER_AT_END.sub("", path.stem)
            found[spelling.setdefault(name.casefold(), name)].append(recording)
    return dict(found)


def _opened(path: Path) -> Recording | None:
    """None for what is no recording, or too short."""
    try:
        with path.open("rb") as file, AudioReader(file, max_channels=MAX_CHANNELS) as reader:
            frames = reader.frames or sum(len(block) for block in reader.blocks())
            return Recording(path, reader.rate, frames) if frames >= SHORTEST_SECONDS * reader.rate else None
    except AudioError:
        return None
    except OSError as error:
        raise StoreError(f"The noise recording {path} cannot be read: {error}") from error


def _repeated(piece: Signal, frames: int, fade: int, generator: np.random.Generator) -> Signal:
    """`piece` again and again, each time faded into the last with constant power, from a random place of the first."""
    rising = np.sin(np.linspace(0, np.pi / 2, fade))
    middle = np.concatenate([piece[:fade] * rising + piece[-fade:] * rising[::-1], piece[fade:-fade]])
    start = int(generator.integers(len(middle)))
    repeats = -(-(start + frames) // len(middle))
    return np.tile(middle, repeats)[start : start + frames]
