"""What happens to a recording on its way: colour of microphones, band limits, codecs, overload.

Linear effects are gains over frequency, so that speed, colour and room are one transform and its inverse together
(see `training.mixtures`); the others work on samples.
"""

import io

import numpy as np
import soundfile
from numpy.random import Generator
from numpy.typing import NDArray

from inference.spectral import SAMPLING_RATE

KNOTS = 7  # of a random colour, evenly spaced in log frequency
LOWEST, HIGHEST = 60.0, SAMPLING_RATE / 2  # Hz, first and last knot
CODECS = (("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"))


def frequencies(frames: int) -> NDArray[np.float32]:
    """Hz of the bins of a real transform over that many samples."""
    return (np.arange(frames // 2 + 1) * (SAMPLING_RATE / frames)).astype(np.float32)


def colour(generator: Generator, frames: int, deviation: float) -> NDArray[np.float32]:
    """A smooth random gain [frames // 2 + 1]; `deviation` in dB at each knot."""
    knots = np.geomspace(LOWEST, HIGHEST, KNOTS)
    gains = 10 ** (generator.normal(0, deviation, KNOTS) / 20)
    return np.interp(frequencies(frames), knots, gains).astype(np.float32)


def slope(generator: Generator, frames: int) -> NDArray[np.float32]:
    """The spectrum of coloured noise: power falling by 0 to 2 times the frequency, [frames // 2 + 1]."""
    exponent = generator.uniform(0, 1)
    return (np.maximum(frequencies(frames), 40.0) ** -exponent).astype(np.float32)


def low_pass(generator: Generator, frames: int) -> NDArray[np.float32]:
    """The gain of a narrow-band channel: nothing above 3 to 7.5 kHz, with an edge of 100 to 800 Hz."""
    cutoff = generator.uniform(3000, 7500)
    width = generator.uniform(100, 800)
    return np.asarray(np.clip((cutoff + width - frequencies(frames)) / width, 0, 1), np.float32)


def high_pass(generator: Generator, frames: int) -> NDArray[np.float32]:
    """The gain of a channel without lows: a second-order slope below 50 to 300 Hz."""
    ratio = np.square(frequencies(frames) / generator.uniform(50, 300))
    return np.asarray(ratio / np.sqrt(1 + np.square(ratio)), np.float32)


def overload(generator: Generator, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clipped, hard or softly, at a level that 0.1 to 2 % of the samples exceed."""
    limit = np.quantile(np.abs(samples), 1 - generator.uniform(0.001, 0.02)) + 1e-6
    if generator.random() < 0.5:
        return np.clip(samples, -limit, limit)
    return np.asarray(np.tanh(samples / limit) * limit, np.float32)


def coded(generator: Generator, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """After a lossy codec at a random quality; the same length, sample-aligned."""
    container, subtype = CODECS[generator.integers(len(CODECS))]
    level = float(np.abs(samples).max()) + 1e-6
    stream = io.BytesIO()
    quality = float(generator.uniform(0.3, 0.95))
    scaled = samples * (0.7 / level)
    with soundfile.SoundFile(
        stream, "w", SAMPLING_RATE, 1, subtype=subtype, format=container, compression_level=quality
    ) as file:
        file.write(scaled)
    stream.seek(0)
    decoded = soundfile.read(stream, dtype="float32")[0]
    out = np.zeros_like(samples)
    kept = min(len(samples), len(decoded))
    out[:kept] = decoded[:kept] * (level / 0.7)
    return out
