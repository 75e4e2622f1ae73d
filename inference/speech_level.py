"""The level of speech without its pauses: ITU-T P.56 (12/2011), method B.

An envelope of the signal (time constant 30 ms, twice) is compared with many thresholds; a sample is active for a
threshold when the envelope reached it within the last 200 ms. The threshold that lies 15.9 dB below the level of the
part it makes active is the right one, and the level of that part the active speech level.

Two differences to the text of the recommendation: thresholds are 1 dB apart and not 6, so that less is left to the
interpolation, and they count from the highest value of the envelope and not from full scale, so that the measure moves
exactly with the gain of the signal.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d
from scipy.signal import lfilter

from inference.errors import EmptyAudio

TIME_CONSTANT = 0.03  # s, of each of the two averages of the envelope
HANGOVER = 0.2  # s a pause must last to count as one
MARGIN_DB = 15.9  # between the active level and the threshold
THRESHOLDS = 121  # 0 to 120 dB below the highest value of the envelope


@dataclass(frozen=True)
class SpeechLevel:
    """`power`: mean square over the active part (full scale 1.0). `activity`: the part of the time that is active."""

    power: float
    activity: float


def active_speech_level(speech: npt.NDArray[np.float32], rate: int) -> SpeechLevel:
    """Of speech [frames, channels] at `rate` Hz; the channels' powers are averaged. Raises EmptyAudio for silence."""
    squares = np.mean(np.square(speech, dtype=np.float64), axis=1)
    energy = float(np.sum(squares))
    if energy == 0:
        raise EmptyAudio("sound")
    active = _active_samples(_held(_envelope(np.sqrt(squares), rate), rate))
    levels = 10 * np.log10(energy / active.counts)
    margins = levels - active.thresholds_db
    level = _at_margin(levels, margins)
    power = float(10 ** (level / 10))
    return SpeechLevel(power, energy / power / len(speech))


@dataclass(frozen=True)
class _Activity:
    """For each threshold (falling) how many samples are active."""

    thresholds_db: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


def _envelope(magnitudes: npt.NDArray[np.float64], rate: int) -> npt.NDArray[np.float64]:
    keep = np.exp(-1 / (rate * TIME_CONSTANT))
    average = ([1 - keep], [1, -keep])
    envelope: npt.NDArray[np.float64] = lfilter(*average, lfilter(*average, magnitudes))
    return envelope


def _held(envelope: npt.NDArray[np.float64], rate: int) -> npt.NDArray[np.float64]:
    """The highest value of the envelope at each sample and within the HANGOVER before it."""
    size = int(np.ceil(HANGOVER * rate)) + 1
    held: npt.NDArray[np.float64] = maximum_filter1d(envelope, size, mode="constant", origin=(size - 1) // 2)
    return held


def _active_samples(held: npt.NDArray[np.float64]) -> _Activity:
    highest = float(held.max())
    drops = -20 * np.log10(np.maximum(held / highest, 1e-7))  # dB below the highest value
    steps = np.minimum(np.ceil(drops).astype(np.int64), THRESHOLDS)
    counts = np.cumsum(np.bincount(steps, minlength=THRESHOLDS + 1)[:THRESHOLDS])
    return _Activity(20 * np.log10(highest) - np.arange(THRESHOLDS), counts)


def _at_margin(levels: npt.NDArray[np.float64], margins: npt.NDArray[np.float64]) -> float:
    """The level (dB) where the margin passes MARGIN_DB, coming from the lowest threshold; interpolated.

    The highest thresholds may be beyond the margin again, because next to nothing is active there. A click is beyond it
    at every threshold: its level is that at the smallest margin.
    """
    within = np.flatnonzero(margins <= MARGIN_DB)
    if not len(within):
        return float(levels[np.argmin(margins)])
    last = int(within[-1])
    return float(np.interp(MARGIN_DB, margins[last : last + 2], levels[last : last + 2]))
