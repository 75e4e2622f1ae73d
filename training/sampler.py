"""Random material of a wanted length from a `Corpus`: one voice speaking, one noise going on, many voices at once."""

from collections import defaultdict

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference.spectral import SAMPLING_RATE
from training.corpus import Clip, Corpus

Samples = NDArray[np.float32]

FADE = SAMPLING_RATE // 200  # samples: 5 ms at each cut of speech
CROSSFADE = SAMPLING_RATE // 20  # samples: 50 ms where pieces of noise meet
LONGEST_PAUSE = 0.5  # seconds between two utterances


class Sampler:
    """Draws balanced clips (see `training.corpus`) and joins them; every draw comes from the generator passed in."""

    def __init__(self, corpus: Corpus) -> None:
        if not corpus.clips:
            raise ValueError("the corpus holds no clip; is the minimum dynamic range too high?")
        self._corpus = corpus
        members: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
        for clip in corpus.clips:
            members[clip.collection][clip.group].append(clip)
        self._groups = [[list(clips) for clips in groups.values()] for groups in members.values()]
        self._collections = _shares([sum(map(_frames, groups)) for groups in self._groups], 0.5)
        self._group_shares = [_shares([_frames(clips) for clips in groups], 0.5) for groups in self._groups]
        self._clip_shares = [
            [_shares([clip.frames for clip in clips], 1.0) for clips in groups] for groups in self._groups
        ]

    def voice(self, generator: Generator, frames: int) -> Samples:
        """`frames` samples of one speaker: crops of utterances with short pauses between them."""
        collection, group = self._draw_group(generator)
        out = np.zeros(frames, np.float32)
        at = 0 if generator.random() < 0.5 else int(generator.uniform(0, LONGEST_PAUSE) * SAMPLING_RATE)
        while at < frames:
            piece = self._crop(generator, collection, group, frames - at)
            fade = min(FADE, len(piece) // 2)
            if fade:
                ramp = np.linspace(0, 1, fade, dtype=np.float32)
                piece[:fade] *= ramp
                piece[-fade:] *= ramp[::-1]
            out[at : at + len(piece)] = piece
            at += len(piece) + int(generator.uniform(0, LONGEST_PAUSE) * SAMPLING_RATE)
        return out

    def noise(self, generator: Generator, frames: int) -> Samples:
        """`frames` samples of one kind of noise: a clip, looped or continued by others of its group, cross-faded."""
        collection, group = self._draw_group(generator)
        out = _levelled(self._crop(generator, collection, group, frames))
        looped = generator.random() < 0.5
        again = out
        while len(out) < frames:
            again = again if looped else _levelled(self._crop(generator, collection, group, frames))
            out = _crossfaded(out, again)
        return out[:frames]

    def babble(self, generator: Generator, frames: int) -> Samples:
        """Three to eight voices at once, at levels within 10 dB."""
        voices = [_levelled(self.voice(generator, frames)) for _ in range(generator.integers(3, 9))]
        gains = 10 ** (-generator.uniform(0, 10, len(voices)) / 20)
        return np.asarray(np.sum([gain * voice for gain, voice in zip(gains, voices, strict=True)], axis=0), np.float32)

    def _draw_group(self, generator: Generator) -> tuple[int, int]:
        collection = int(np.searchsorted(self._collections, generator.random(), side="right"))
        return collection, int(np.searchsorted(self._group_shares[collection], generator.random(), side="right"))

    def _crop(self, generator: Generator, collection: int, group: int, frames: int) -> Samples:
        shares = self._clip_shares[collection][group]
        clip = self._groups[collection][group][int(np.searchsorted(shares, generator.random(), side="right"))]
        spare = clip.frames - frames
        return self._corpus.read(clip, int(generator.integers(0, spare + 1)) if spare > 0 else 0, frames)


def _frames(clips: list[Clip]) -> int:
    return sum(clip.frames for clip in clips)


def _shares(weights: list[int], exponent: float) -> NDArray[np.float64]:
    """Cumulative probabilities, without the last (which is 1): what `searchsorted` needs for a weighted draw."""
    raised = np.asarray(weights, np.float64) ** exponent
    return np.asarray(np.cumsum(raised)[:-1] / raised.sum())


def _levelled(samples: Samples) -> Samples:
    """The same with a root mean square of 0.1."""
    level = np.sqrt(np.square(samples).mean()) if len(samples) else 0.0
    return samples * np.float32(0.1 / max(level, 1e-5))


def _crossfaded(first: Samples, second: Samples) -> Samples:
    """`first` followed by `second`; they overlap with equal power."""
    overlap = min(CROSSFADE, len(first) // 2, len(second) // 2)
    if overlap == 0:
        return np.concatenate([first, second])
    rise = np.sin(np.linspace(0, np.pi / 2, overlap, dtype=np.float32))
    joint = first[-overlap:] * rise[::-1] + second[:overlap] * rise
    return np.concatenate([first[:-overlap], joint, second[overlap:]])
