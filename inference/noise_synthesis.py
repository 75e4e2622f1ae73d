"""Noises made by computation: coloured noise, mains hum and a murmur of many voices.

Every maker takes (frames, rate in Hz, generator) and gives float64 of shape [frames], of no particular level; the same
state of the generator gives the same noise.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import soxr
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import lfilter

Signal = npt.NDArray[np.float64]
Maker = Callable[[int, int, np.random.Generator], Signal]

LOWEST_HZ = 20.0  # coloured noise is flat below: otherwise brown noise would spend its power where nobody hears it
MAINS_HZ = 50.0
MAINS_DRIFT = 0.001  # of the frequency, as grids drift within minutes
HARMONICS = 20
TALKERS = 8
BABBLE_RATE = 16000  # Hz; voices have little above its half, and it is the dearest noise to make
SYLLABLE_SECONDS = (0.12, 0.35)
PAUSE_SHARE = 0.2  # of the syllables that are left out
PITCH_HZ = (90.0, 240.0)
FORMANT_BANDWIDTH_HZ = 90.0
# First three resonances (Hz) of the vowels in heed, head, had, hod, who'd: Peterson and Barney (1952), men, rounded.
VOWELS = ((270, 2290, 3010), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440), (300, 870, 2240))


def coloured(exponent: float) -> Maker:
    """A maker of Gaussian noise whose power density goes with frequency to the `exponent`: 0 white, -1 pink."""

    def make(frames: int, rate: int, generator: np.random.Generator) -> Signal:
        length = next_fast_len(frames, real=True)
        spectrum = rfft(generator.standard_normal(length))
        frequencies = np.maximum(rfftfreq(length, 1 / rate), LOWEST_HZ)
        noise: Signal = irfft(spectrum * frequencies ** (exponent / 2), length)[:frames]
        return noise

    return make


def hum(frames: int, rate: int, generator: np.random.Generator) -> Signal:
    """Mains hum: 50 Hz and its harmonics below half the rate, the odd ones stronger, slowly drifting together."""
    drift = MAINS_DRIFT * _wander(frames, rate, 0.5, generator)
    phase = 2 * np.pi * MAINS_HZ / rate * np.cumsum(1 + drift)
    noise = np.zeros(frames)
    for harmonic in range(1, HARMONICS + 1):
        if harmonic * MAINS_HZ * (1 + MAINS_DRIFT) < rate / 2:
            strength = (1.0 if harmonic % 2 else 0.3) / harmonic
            noise += strength * np.sin(harmonic * phase + generator.uniform(0, 2 * np.pi))
    return noise


def babble(frames: int, rate: int, generator: np.random.Generator) -> Signal:
    """Voices talking at once: buzzes with moving pitch, cut into syllables, through the resonances of vowels."""
    if rate > BABBLE_RATE:
        made = babble(frames * BABBLE_RATE // rate + 2, BABBLE_RATE, generator)
        resampled: Signal = soxr.resample(made, BABBLE_RATE, rate)
        return resampled[:frames]
    excitations = np.zeros((len(VOWELS), frames))
    for _ in range(TALKERS):
        voice = _buzz(frames, rate, generator)
        for vowel, envelope in enumerate(_syllables(frames, rate, generator)):
            excitations[vowel] += voice * envelope
    voices = [_resonate(each, formants, rate) for each, formants in zip(excitations, VOWELS, strict=True)]
    total: Signal = np.sum(voices, axis=0)
    return total


MAKERS: Mapping[str, Maker] = {
    "white": coloured(0),
    "pink": coloured(-1),
    "brown": coloured(-2),
    "blue": coloured(1),
    "hum": hum,
    "babble": babble,
}


def _wander(frames: int, rate: int, knots_per_second: float, generator: np.random.Generator) -> Signal:
    """A slow random curve between -1 and 1."""
    knots = int(frames / rate * knots_per_second) + 2
    return np.interp(np.arange(frames), np.arange(knots) * rate / knots_per_second, generator.uniform(-1, 1, knots))


def _buzz(frames: int, rate: int, generator: np.random.Generator) -> Signal:
    """A sawtooth whose pitch moves by up to a fifth, with a little breath in it."""
    pitch = generator.uniform(*PITCH_HZ) * 1.2 ** _wander(frames, rate, 4, generator)
    sawtooth = np.cumsum(pitch / rate) % 1 - 0.5
    noise: Signal = sawtooth + 0.05 * generator.standard_normal(frames)
    return noise


def _syllables(frames: int, rate: int, generator: np.random.Generator) -> list[Signal]:
    """For each vowel an envelope: rising and falling in the syllables that have it, 0 elsewhere."""
    count = int(frames / rate / SYLLABLE_SECONDS[0]) + 3
    ends = np.cumsum(generator.uniform(*SYLLABLE_SECONDS, count)) * rate
    ends -= generator.uniform(0.1, 0.9) * ends[0]  # the noise begins in the midst of a syllable
    loudness = generator.uniform(0.3, 1, count) * (generator.random(count) > PAUSE_SHARE)
    vowels = generator.integers(len(VOWELS), size=count)
    middles = ends - np.diff(ends, prepend=ends[0] - SYLLABLE_SECONDS[0] * rate) / 2
    times = np.stack([middles, ends], axis=1).ravel()
    levels = [np.where(vowels == vowel, loudness, 0.0) for vowel in range(len(VOWELS))]
    ramps = [np.stack([level, np.zeros(count)], axis=1).ravel() for level in levels]
    return [np.interp(np.arange(frames), times, ramp) for ramp in ramps]


def _resonate(excitation: Signal, formants: tuple[int, ...], rate: int) -> Signal:
    """Through a pair of poles for each formant below half the rate, normalised at 0 Hz."""
    radius = np.exp(-np.pi * FORMANT_BANDWIDTH_HZ / rate)
    poles = [radius * np.exp(sign * 2j * np.pi * f / rate) for f in formants if f < 0.45 * rate for sign in (1, -1)]
    denominator = np.poly(poles).real
    voiced: Signal = lfilter([denominator.sum()], denominator, excitation)
    return voiced
