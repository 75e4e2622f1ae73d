"""Noise to test enhancement with, and its mixing into speech at a chosen signal-to-noise ratio.

The SNR is the active speech level (ITU-T P.56, speech_level.py; the mean power over the channels) over the mean power
of the noise over the whole clip. All channels get the same noise with the same gain: a source far away.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.errors import UnknownNoiseType
from inference.noise_recordings import Recording, find_recordings
from inference.noise_synthesis import MAKERS
from inference.samples import Samples
from inference.speech_level import active_speech_level

NOISE_RMS = 0.1  # of full scale, of every noise made: 20 dB below


class NoiseLibrary:
    """The synthetic noises, and one type for each category of recordings in `folder`.

    Each sub-folder with recordings anywhere below it is a category (DEMAND's FOLDER/DKITCHEN/ch01.wav), and so is each
    file in the folder itself, named after it without a number at the end (FOLDER/cafe_01.wav). What is no readable
    recording, or shorter than half a second, is left out. A category replaces a synthetic noise of the same name.

    Raises StoreError when the folder is none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._recordings = find_recordings(folder) if folder is not None else {}
        names = {name.casefold(): name for name in (*MAKERS, *self._recordings)}
        self._names = dict(sorted(names.items()))

    @property
    def types(self) -> tuple[str, ...]:
        """The names of the types, sorted without regard to case."""
        return tuple(self._names.values())

    def check(self, noise_type: str) -> str:
        """The name of the type as `types` has it, whatever case is asked for. Raises UnknownNoiseType."""
        try:
            return self._names[noise_type.casefold()]
        except KeyError as error:
            raise UnknownNoiseType(noise_type, self.types) from error

    def make(self, noise_type: str, frames: int, rate: int, generator: np.random.Generator) -> Samples:
        """Noise of shape [frames] at `rate` Hz, of RMS `NOISE_RMS`; the generator alone decides which.

        Raises UnknownNoiseType; StoreError when a recording has become unreadable or is silent.
        """
        name = self.check(noise_type)
        if frames == 0:
            return np.zeros(0, np.float32)
        if name in self._recordings:
            noise = _choose(self._recordings[name], generator).excerpt(frames, rate, generator)
        else:
            noise = MAKERS[name](max(frames, rate), rate, generator)[:frames]  # short clips are cut out of a second
        scaled: Samples = (noise * (NOISE_RMS / math.sqrt(_power(noise)))).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class Mixture:
    """`samples`: [frames, channels]. `gain_db`: what the whole was scaled by to stay within full scale, 0 or below."""

    samples: Samples
    gain_db: float


def mix(speech: Samples, noise: Samples, snr_db: float, rate: int) -> Mixture:
    """Adds noise [frames] to speech [frames, channels], both at `rate` Hz, at `snr_db` (defined at the module's head).

    Raises EmptyAudio when the speech is silent: there is no level to relate the noise to. ValueError for silent noise.
    """
    noise_power = _power(noise)
    if noise_power == 0:
        raise ValueError("the noise is silent")
    gain = math.sqrt(active_speech_level(speech, rate).power / noise_power) * 10 ** (-snr_db / 20)
    samples = speech + (gain * noise.astype(np.float64))[:, np.newaxis]
    peak = float(np.max(np.abs(samples)))
    scale = 1 / peak if peak > 1 else 1.0
    return Mixture((samples * scale).astype(np.float32), 20 * math.log10(scale))


def _choose(recordings: list[Recording], generator: np.random.Generator) -> Recording:
    return recordings[int(generator.integers(len(recordings)))]


def _power(signal: npt.NDArray[np.floating]) -> float:
    return float(np.mean(np.square(signal, dtype=np.float64)))
