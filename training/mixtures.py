"""Noisy speech with its clean target, made on the fly: batch `i` depends on the seed and on `i`, on nothing else.

speech --speed, colour, room-----> target (early part of the room) and reverberant speech
noise  --speed, colour, room----->   one or two noises, babble or coloured noise
both   --band limits, levels, sum--> clipping or codec --> noisy
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from inference.spectral import SAMPLING_RATE
from training import augment
from training.rooms import LENGTH as ROOM_LENGTH
from training.rooms import Room
from training.sampler import Sampler, Samples

Spectrum = NDArray[np.complex64]

GATE = 30.0  # dB below the loud frames: speech frames above it are active
GATE_FRAME = 320  # samples: 20 ms
SILENT = 1e-4  # root mean square under which a target holds no speech


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How mixtures are made. Shares are probabilities per item."""

    seconds: float = 4.0
    snr_low: float = -5.0  # dB over the active speech
    snr_high: float = 20.0
    snr_hard: float = 10.0  # half of the items are drawn between snr_low and this
    level_low: float = -45.0  # dBFS of the active speech
    level_high: float = -10.0
    clean_share: float = 0.05  # items without noise
    noise_share: float = 0.03  # items without speech
    second_noise_share: float = 0.35
    babble_share: float = 0.1
    coloured_share: float = 0.07  # stationary coloured noise in place of a recording
    entering_share: float = 0.15  # noise that starts or stops within the item
    speech_room_share: float = 0.2
    noise_room_share: float = 0.2
    speed_share: float = 0.5  # speech resampled by 0.88 to 1.14, noise by noise_speed: speed and pitch
    noise_speed: float = 1.6  # noise up to so many times as fast or as slow
    reversed_share: float = 0.3  # noise recordings played backwards
    speech_colour: float = 2.5  # dB, see augment.colour
    noise_colour: float = 5.0
    low_pass_share: float = 0.1
    high_pass_share: float = 0.1
    overload_share: float = 0.03
    codec_share: float = 0.02


PLAIN = Recipe(
    snr_high=15.0, snr_hard=15.0, level_low=-30.0, level_high=-20.0, clean_share=0.0, noise_share=0.0,
    second_noise_share=0.0, babble_share=0.0, coloured_share=0.0, entering_share=0.0, speech_room_share=0.0,
    noise_room_share=0.0, speed_share=0.0, reversed_share=0.0, speech_colour=0.0, noise_colour=0.0,
    low_pass_share=0.0, high_pass_share=0.0, overload_share=0.0, codec_share=0.0,
)  # fmt: skip
"""Unseen speech plus unseen noise and nothing else: what validation uses."""


class Pair(NamedTuple):
    """A batch: both float32, [items, samples]. A target without speech is all zeros."""

    noisy: Samples
    clean: Samples


def active_level(samples: Samples) -> float:
    """Root mean square over the active frames: those no more than GATE dB below the 95th percentile frame."""
    frames = samples[: len(samples) // GATE_FRAME * GATE_FRAME].reshape(-1, GATE_FRAME)
    powers = np.square(frames).mean(axis=1)
    active = powers[powers >= np.percentile(powers, 95) * 10 ** (-GATE / 10)]
    return float(np.sqrt(active.mean()))


class Mixer:
    """Makes batches from samplers of speech and noise and a bank of rooms."""

    def __init__(self, speech: Sampler, noise: Sampler, rooms: list[Room], recipe: Recipe, seed: int) -> None:
        self._speech, self._noise, self._rooms, self.recipe, self._seed = speech, noise, rooms, recipe, seed
        self._length = int(recipe.seconds * SAMPLING_RATE)
        # a room rings around the end of the transform into its start, which is cut off
        self._lead = ROOM_LENGTH
        self._frames = next_fast_len(self._lead + self._length + SAMPLING_RATE // 20, real=True)

    def batch(self, index: int, items: int) -> Pair:
        """Batch `index`, the same whenever it is asked for."""
        generators = [np.random.default_rng([self._seed, index, item]) for item in range(items)]
        pairs = [self.item(generator) for generator in generators]
        return Pair(np.stack([pair.noisy for pair in pairs]), np.stack([pair.clean for pair in pairs]))

    def item(self, generator: Generator) -> Pair:
        """One mixture and its target, each [samples]."""
        r = self.recipe
        band = self._band(generator)
        kind = generator.random()
        speech, clean = self._speech_part(generator, band)
        noise = self._noise_part(generator, band)
        level = 10 ** (generator.uniform(r.level_low, r.level_high) / 20)
        high = r.snr_hard if generator.random() < 0.5 else r.snr_high
        snr = generator.uniform(r.snr_low, high)
        gain = level / max(active_level(speech), SILENT)
        noise_level = max(float(np.sqrt(np.square(noise).mean())), 1e-6)
        noise = noise * np.float32(level * 10 ** (-snr / 20) / noise_level)
        speech, clean = speech * np.float32(gain), clean * np.float32(gain)
        if kind < r.clean_share:
            return Pair(self._damaged(generator, speech), clean)
        if kind < r.clean_share + r.noise_share:
            return Pair(self._damaged(generator, noise), np.zeros_like(clean))
        return Pair(self._damaged(generator, speech + noise), clean)

    def _speech_part(self, generator: Generator, band: Samples) -> tuple[Samples, Samples]:
        """Speech as it reaches the microphone, and the target."""
        r = self.recipe
        speed = generator.uniform(0.88, 1.14) if generator.random() < r.speed_share else 1.0
        spectrum = self._spectrum(self._speech.voice(generator, self._source_frames(speed)))
        spectrum *= band * augment.colour(generator, self._frames, r.speech_colour)
        if generator.random() >= r.speech_room_share:
            speech = self._samples(spectrum)
            return speech, speech
        room = self._room(generator)
        return (
            self._samples(spectrum * rfft(room.full, self._frames)),
            self._samples(spectrum * rfft(room.early, self._frames)),
        )

    def _noise_part(self, generator: Generator, band: Samples) -> Samples:
        r = self.recipe
        spectrum = self._one_noise(generator)
        if generator.random() < r.second_noise_share:
            second = self._one_noise(generator)
            spectrum = spectrum + second * np.float32(10 ** (-generator.uniform(0, 12) / 20))
        if generator.random() < r.noise_room_share:
            spectrum = spectrum * rfft(self._room(generator).full, self._frames)
        return self._entering(generator, self._samples(spectrum * band))

    def _one_noise(self, generator: Generator) -> Spectrum:
        r = self.recipe
        kind = generator.random()
        if kind < r.coloured_share:
            white = self._spectrum(generator.standard_normal(self._frames, dtype=np.float32))
            spectrum = white * augment.slope(generator, self._frames)
        elif kind < r.coloured_share + r.babble_share:
            spectrum = self._spectrum(self._speech.babble(generator, self._frames))
        else:
            speed = r.noise_speed ** generator.uniform(-1, 1) if generator.random() < r.speed_share else 1.0
            recording = self._noise.noise(generator, self._source_frames(speed))
            spectrum = self._spectrum(recording[::-1] if generator.random() < r.reversed_share else recording)
        spectrum *= augment.colour(generator, self._frames, r.noise_colour)
        # by Parseval's theorem: all noises reach the sum at the same level
        power = np.sqrt(np.square(np.abs(spectrum)).mean() / self._frames)
        return np.asarray(spectrum / np.float32(max(float(power), 1e-6)), np.complex64)

    def _entering(self, generator: Generator, noise: Samples) -> Samples:
        """Sometimes the noise is there only before or only after some moment."""
        if generator.random() >= self.recipe.entering_share:
            return noise
        moment = int(generator.uniform(0.2, 0.8) * len(noise))
        rest = 10 ** (-generator.uniform(15, 60) / 20)
        gain = np.ones(len(noise), np.float32)
        if generator.random() < 0.5:
            gain[:moment] = rest
        else:
            gain[moment:] = rest
        return noise * gain

    def _band(self, generator: Generator) -> Samples:
        """The gain [bins] of the channel that speech and noise share."""
        gain = np.ones(self._frames // 2 + 1, np.float32)
        if generator.random() < self.recipe.low_pass_share:
            gain *= augment.low_pass(generator, self._frames)
        if generator.random() < self.recipe.high_pass_share:
            gain *= augment.high_pass(generator, self._frames)
        return gain

    def _damaged(self, generator: Generator, noisy: Samples) -> Samples:
        kind = generator.random()
        if kind < self.recipe.overload_share:
            return augment.overload(generator, noisy)
        if kind < self.recipe.overload_share + self.recipe.codec_share:
            return augment.coded(generator, noisy)
        return noisy

    def _room(self, generator: Generator) -> Room:
        return self._rooms[int(generator.integers(len(self._rooms)))]

    def _source_frames(self, speed: float) -> int:
        return self._frames if speed == 1.0 else int(next_fast_len(int(self._frames * speed), real=True))

    def _spectrum(self, samples: Samples) -> Spectrum:
        """Of `self._frames` samples, whatever the number given: the rest is a change of speed and pitch."""
        spectrum = rfft(samples)
        bins = self._frames // 2 + 1
        resized = np.zeros(bins, np.complex64)
        kept = min(bins, len(spectrum))
        resized[:kept] = spectrum[:kept] * np.float32(self._frames / len(samples))
        return resized

    def _samples(self, spectrum: Spectrum) -> Samples:
        samples = irfft(spectrum, n=self._frames)[self._lead : self._lead + self._length]
        return np.asarray(samples, np.float32)
