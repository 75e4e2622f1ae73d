"""What a recording and its enhanced version are like, in a few numbers: measured block by block, in constant memory.

    level_dbfs        level of the active speech by the rule of ITU-T P.56, method B (see inference/speech_level.py),
                      on frames of 16 ms instead of samples; full scale is a mean square of 1
    snr_db            10 lg (O / (I - O)) with the mean squares I of the recording and O of the answer: what was taken
                      away counts as noise, what was left as speech. Right as far as the network is; what lies above the
                      network's 8 kHz counts as noise
    clipped_ratio     share of samples within 0.01 dB of full scale
    silence_ratio     share of frames below -60 dBFS
    bandwidth_hz      below it lies 99 % of the energy, on at most 32 spectra of 512 samples spread over each block
    noise_removed_db  how far the level that 20 % of the frames stay below has fallen from the recording to the answer
    duration_s        of the recording

Channels are averaged as powers. What is left of a block beyond its last whole frame is not looked at.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.ndimage import maximum_filter1d

from inference.samples import Samples

FRAME_SECONDS = 0.016
LOWEST_DB = -100  # a frame below is taken for that
LEVELS = 120  # steps of 1 dB from there
STEPS_DB = LOWEST_DB + np.arange(LEVELS)
HANGOVER_FRAMES = 13  # 200 ms: shorter pauses belong to speech (P.56)
MARGIN_DB = 15.9  # between the active level and the threshold of activity (P.56)
FULL_SCALE = 10 ** (-0.01 / 20)
SILENCE_DB = -60
FLOOR_SHARE = 0.2
WINDOW = 512  # samples of a spectrum
SPECTRA = 32  # of a block, all channels together
ROLL_OFF = 0.99
SNR_RANGE = (-20.0, 50.0)  # dB: beyond, the estimate says nothing
HANN = np.hanning(WINDOW + 1)[:WINDOW].astype(np.float32)
TINY = 1e-12


class _Levels:
    """How often each frame level occurred."""

    def __init__(self, rate: int, channels: int) -> None:
        self._samples = max(1, round(FRAME_SECONDS * rate)) * channels  # of a frame
        self.counts = np.zeros(LEVELS, np.int64)
        self.held = np.zeros(LEVELS, np.int64)  # of frames that are as loud, or within the hangover of one that is
        self._power = 0.0  # sum over frames
        self.frames = 0

    def add(self, block: Samples, *, hold: bool) -> None:
        """Takes the whole frames of float32 [n, channels]."""
        frames = block.size // self._samples
        if frames == 0:
            return
        framed = np.ascontiguousarray(block).reshape(-1)[: frames * self._samples].reshape(frames, self._samples)
        powers = np.vecdot(framed, framed) / self._samples
        decibels = 10 * np.log10(powers + np.float32(TINY)) - LOWEST_DB
        steps = np.minimum(np.maximum(decibels, 0), LEVELS - 1).astype(np.intp)
        self.counts += np.bincount(steps, minlength=LEVELS)
        if hold:
            held = maximum_filter1d(steps, HANGOVER_FRAMES, mode="nearest", origin=(HANGOVER_FRAMES - 1) // 2)
            self.held += np.bincount(held, minlength=LEVELS)
        self._power += float(powers.sum())
        self.frames += frames

    def mean_square(self) -> float:
        """Of all frames."""
        return self._power / max(self.frames, 1)

    def active_db(self) -> float:
        """P.56: the level of the part that reaches a threshold MARGIN_DB below that level; LOWEST_DB for silence."""
        if self._power <= TINY * self.frames:
            return float(LOWEST_DB)
        active = self.held[::-1].cumsum()[::-1]  # frames at each step and above
        levels = 10 * np.log10(self._power / active[active > 0] + TINY)
        margins = levels - STEPS_DB[: len(levels)]
        within = np.flatnonzero(margins <= MARGIN_DB)  # a click is beyond the margin at every threshold
        first = int(within[0]) if len(within) else 0
        if first == 0:
            return float(levels[np.argmin(margins)])
        above, below = float(margins[first - 1]), float(margins[first])
        part = (above - MARGIN_DB) / (above - below)
        return float(levels[first - 1] + part * (levels[first] - levels[first - 1]))

    def floor_db(self) -> int:
        """The level that FLOOR_SHARE of the frames do not exceed."""
        return LOWEST_DB + int(np.searchsorted(self.counts.cumsum(), FLOOR_SHARE * self.frames))

    def share_below(self, level: int) -> float:
        """Share of the frames below `level` dB."""
        return float(self.counts[: level - LOWEST_DB].sum() / max(self.frames, 1))


@dataclass
class _Spectrum:
    """The power spectrum of a recording, sampled."""

    power: NDArray[np.float64]

    def add(self, block: Samples) -> None:
        """Takes spectra at equal distances from float32 [n, channels]."""
        channels = block.shape[1]
        apart = max(WINDOW, -(-len(block) // max(4, SPECTRA // channels)))  # samples
        count = len(block) // apart
        if count == 0:
            return
        parts = np.ascontiguousarray(block)[: count * apart].reshape(count, apart, channels)[:, :WINDOW]
        spectra = rfft(parts.transpose(0, 2, 1) * HANN)  # [count, channels, bins]
        self.power += (spectra.real**2 + spectra.imag**2).sum(axis=(0, 1))

    def roll_off(self, rate: int) -> float:
        """Hz below which ROLL_OFF of the energy lies; 0 for silence."""
        total = float(self.power.sum())
        if total <= TINY:
            return 0.0
        return int(np.searchsorted(self.power.cumsum(), ROLL_OFF * total)) * rate / WINDOW


class QualityMeter:
    """Watches one recording of `channels` channels at `rate` Hz and its answer at `answer_rate` Hz go by."""

    def __init__(self, rate: int, channels: int, answer_rate: int) -> None:
        self._rate = rate
        self._frames = 0
        self._clipped = 0
        self._samples = 0
        self._input = _Levels(rate, channels)
        self._answer = _Levels(answer_rate, channels)
        self._spectrum = _Spectrum(np.zeros(WINDOW // 2 + 1))

    def listen(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Passes the recording on and watches it."""
        for block in blocks:
            self.hear(block)
            yield block

    def listen_to_answer(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Passes the answer on and watches it."""
        for block in blocks:
            self.answer(block)
            yield block

    def hear(self, block: Samples) -> None:
        """Takes a block of the recording, float32 [n, channels]."""
        if not len(block):
            return
        self._frames += len(block)
        self._samples += block.size
        if max(float(block.max()), -float(block.min())) >= FULL_SCALE:
            self._clipped += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        self._input.add(block, hold=True)
        self._spectrum.add(block)

    def answer(self, block: Samples) -> None:
        """Takes a block of the answer, float32 [m, channels]."""
        self._answer.add(block, hold=False)

    def features(self) -> dict[str, float]:
        """The numbers of the module's docstring, by name."""
        return {
            "level_dbfs": self._input.active_db(),
            "snr_db": self._snr_db(),
            "clipped_ratio": self._clipped / max(self._samples, 1),
            "silence_ratio": self._input.share_below(SILENCE_DB),
            "bandwidth_hz": self._spectrum.roll_off(self._rate),
            "noise_removed_db": float(max(0, self._input.floor_db() - self._answer.floor_db())),
            "duration_s": self._frames / self._rate,
        }

    def _snr_db(self) -> float:
        speech = self._answer.mean_square()
        noise = self._input.mean_square() - speech
        lowest, highest = SNR_RANGE
        return max(lowest, min(highest, 10 * math.log10((speech + TINY) / max(noise, TINY))))
