"""Room impulse responses: small rooms made by a statistical model, and recorded ones read from folders.

A response is split at EARLY_SECONDS after the direct sound. The network hears speech through the whole response and
is asked for speech through the early part alone, which listeners hear as the colour of the voice, not as reverberation.

The model: the direct sound, some early reflections at the delays of a small room with amplitudes falling like
1 / distance, then Gaussian noise decaying by 60 dB in the reverberation time, faster at high frequencies.
Source: Polack, "La transmission de l'energie sonore dans les salles", 1988 (the statistical model of the tail).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from inference.spectral import SAMPLING_RATE
from training.corpus import find_recordings

SPEED_OF_SOUND = 343.0  # m/s
LENGTH = int(0.7 * SAMPLING_RATE)  # samples kept of a response
EARLY_SECONDS = 0.05
FADE = SAMPLING_RATE // 200  # samples: 5 ms, at the end of the early part and of the whole
ONSET = SAMPLING_RATE // 1000  # samples kept before the strongest peak of a recorded response


class Room(NamedTuple):
    """A response [LENGTH] whose direct sound is at sample 0, and its early part [LENGTH]."""

    full: NDArray[np.float32]
    early: NDArray[np.float32]


def split(response: NDArray[np.float64]) -> Room:
    """The room of a response of any length that starts with the direct sound; the early part has energy 1."""
    full = np.zeros(LENGTH)
    kept = min(LENGTH, len(response))
    full[:kept] = response[:kept]
    full[-FADE:] *= np.linspace(1, 0, FADE)
    end = int(EARLY_SECONDS * SAMPLING_RATE)
    window = np.zeros(LENGTH)
    window[:end] = 1.0
    window[end : end + FADE] = np.linspace(1, 0, FADE)
    early = full * window
    gain = 1.0 / np.sqrt(np.square(early).sum())
    return Room((full * gain).astype(np.float32), (early * gain).astype(np.float32))


def simulate(generator: Generator) -> Room:
    """A small room: reverberation time 0.12 to 0.7 s, direct sound 0 to 14 dB above the tail."""
    reverberation_time = generator.uniform(0.12, 0.7)
    response = np.zeros(LENGTH)
    response[0] = 1.0
    distance = generator.uniform(0.5, 3.0)  # metres from mouth to microphone
    for _ in range(generator.integers(4, 12)):
        further = generator.uniform(0.5, 12.0)
        delay = int(further / SPEED_OF_SOUND * SAMPLING_RATE)
        reflection = generator.uniform(0.3, 0.9) * generator.choice([-1.0, 1.0])
        response[delay] += reflection * distance / (distance + further)
    tail = _tail(generator, reverberation_time)
    ratio = generator.uniform(0, 14)  # dB
    return split(response + tail * 10 ** (-ratio / 20) / np.sqrt(np.square(tail).sum()))


def _tail(generator: Generator, reverberation_time: float) -> NDArray[np.float64]:
    seconds = np.arange(LENGTH) / SAMPLING_RATE
    crossover = butter(2, generator.uniform(1000, 4000), fs=SAMPLING_RATE, output="sos")
    noise = generator.standard_normal(LENGTH)
    low = sosfilt(crossover, noise)
    decay = 3 * np.log(10) / reverberation_time  # the amplitude falls by 60 dB in the reverberation time
    faster = decay * generator.uniform(1.0, 2.0)
    tail = low * np.exp(-decay * seconds) + (noise - low) * np.exp(-faster * seconds)
    tail[: int(generator.uniform(0.002, 0.015) * SAMPLING_RATE)] = 0.0  # nothing arrives before the first wall
    return np.asarray(tail)


def recorded(folders: list[Path]) -> list[Room]:
    """The rooms of the recordings in `folders`, aligned so that the strongest peak follows at once."""
    rooms = []
    for _, file in find_recordings(folders):
        samples, rate = soundfile.read(file, dtype="float64", always_2d=True)
        response = soxr.resample(samples[:, 0], rate, SAMPLING_RATE)
        peak = int(np.abs(response).argmax())
        response[: max(peak - ONSET, 0)] = 0.0
        rooms.append(split(np.roll(response, -peak)[: len(response) - peak]))
    return rooms


def room_bank(folders: list[Path], simulated: int, seed: int) -> list[Room]:
    """`simulated` small rooms followed by all recorded ones."""
    generators = [np.random.default_rng([seed, index]) for index in range(simulated)]
    return [simulate(generator) for generator in generators] + recorded(folders)
