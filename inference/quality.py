"""What a recording and its enhanced version are like, in a few numbers: measured block by block, in constant memory.

    level_dbfs        level of the active speech by the rule of ITU-T P.56, method B (see inference/speech_level.py),
                      on frames of 16 ms instead of samples; full scale is a mean square of 1
    snr_db            10 lg (O / (I - O)) with the mean squares I of the recording and O of the answer: what was taken
                      away counts as noise, what was left as speech. Right as far as the network is; what lies above the
                      network's 8 kHz counts as noise
    clipped_ratio     share of samples within 0.01 dB of full scale
    silence_ratio     share of frames below -60 dBFS
    bandwidth_hz      below it lies 99 % of the energy, on at most 16 spectra of 512 samples spread over each block
    noise_removed_db  how far the level that 20 % of the frames stay below has fallen from the recording to the answer
    duration_s        of the recording

Channels are averaged as powers. To cost next to nothing, levels and clipping are taken from the first half of each
frame; what is left of a block beyond its last whole frame is not looked at.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from inference.samples import Samples

FRAME_SECONDS = 0.016
LOWEST_DB = -100  # a frame below is taken for that
LEVELS = 120  # steps of 1 dB from there
HANGOVER = (1, 2, 4, 5)  # frames, together 12 or 190 ms: shorter pauses belong to speech (P.56)
MARGIN_DB = 15.9  # between the active level and the threshold of activity (P.56)
FULL_SCALE = 10 ** (-0.01 / 20)
SILENCE_DB = -60
FLOOR_SHARE = 0.2
WINDOW = 512  # samples of a spectrum
SPECTRA = 16  # of a block, all channels together
ROLL_OFF = 0.99
SNR_RANGE = (-20.0, 50.0)  # dB: beyond, the estimate says nothing
HANN = np.hanning(WINDOW + 1)[:WINDOW].astype(np.float32)
TINY = 1e-12


class _Levels:
    """How often each frame level occurred."""

    def __init__(self, rate: int, channels: int) -> None:
        self._frame = max(2, round(FRAME_SECONDS * rate)) * channels  # samples
        self._half = self._frame // channels // 2 * channels
        self.counts = np.zeros(LEVELS, np.int64)
        self.held = np.zeros(LEVELS, np.int64)  # of frames that are as loud, or within the hangover of one that is
        self._power = 0.0  # sum over frames
        self.frames = 0
        self.clipped = 0  # samples
        self.samples = 0  # looked at

    def add(self, block: Samples, *, recording: bool) -> None:
        """Takes the whole frames of float32 [n, channels]; of a recording also activity and clipping."""
        frames = block.size // self._frame
        if frames == 0:
            return
        flat = np.ascontiguousarray(block).reshape(-1)[: frames * self._frame]
        halves = np.ascontiguousarray(flat.reshape(frames, self._frame)[:, : self._half])
        powers = np.vecdot(halves, halves) / self._half
        decibels = 10 * np.log10(powers + np.float32(TINY)) - LOWEST_DB
        steps = np.minimum(np.maximum(decibels, 0), LEVELS - 1).astype(np.intp)
        self.counts += np.bincount(steps, minlength=LEVELS)
        self._power += float(powers.sum())
        self.frames += frames
        if recording:
            self.held += np.bincount(_highest_lately(steps), minlength=LEVELS)
            self._count_clipped(halves)

    def _count_clipped(self, halves: Samples) -> None:
        self.samples += halves.size
        if max(float(halves.max()), -float(halves.min())) >= FULL_SCALE:
            self.clipped += int(np.count_nonzero(np.abs(halves) >= FULL_SCALE))

    def mean_square(self) -> float:
        """Of all frames."""
        return self._power / max(self.frames, 1)

    def active_db(self) -> float:
        """P.56: the level of the part that reaches a threshold MARGIN_DB below that level; LOWEST_DB for silence."""
        if self._power <= TINY * self.frames:
            return float(LOWEST_DB)
        active: list[int] = self.held[::-1].cumsum()[::-1].tolist()  # frames at each step and above

        def margin(step: int) -> float:
            return self._level_of(active[step]) - (LOWEST_DB + step)

        low, high = 0, int(np.flatnonzero(self.held)[-1])  # the highest step there is
        if margin(high) > MARGIN_DB:  # a click is beyond the margin at every threshold
            return self._level_of(active[high])
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if margin(middle) > MARGIN_DB else (low, middle)
        above, below = margin(low), margin(high)
        part = (above - MARGIN_DB) / (above - below) if above > MARGIN_DB else 0.0
        return self._level_of(active[low]) + part * (self._level_of(active[high]) - self._level_of(active[low]))

    def _level_of(self, frames: int) -> float:
        """dB of all the energy in so many frames."""
        return 10 * math.log10(self._power / frames + TINY)

    def floor_db(self) -> int:
        """The level that FLOOR_SHARE of the frames do not exceed."""
        return LOWEST_DB + int(np.searchsorted(self.counts.cumsum(), FLOOR_SHARE * self.frames))

    def share_below(self, level: int) -> float:
        """Share of the frames below `level` dB."""
        return float(self.counts[: level - LOWEST_DB].sum() / max(self.frames, 1))


def _highest_lately(steps: NDArray[np.intp]) -> NDArray[np.intp]:
    """The highest of each value and the twelve before it: a running maximum is as wide as its parts together."""
    highest = steps
    for shift in HANGOVER:
        later = np.maximum(highest[shift:], highest[:-shift])
        highest = np.concatenate([highest[:shift], later])
    return highest


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
        self.power += np.square(spectra.view(np.float32)).sum(axis=(0, 1)).reshape(-1, 2).sum(axis=1)

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
        self._input.add(block, recording=True)
        self._spectrum.add(block)

    def answer(self, block: Samples) -> None:
        """Takes a block of the answer, float32 [m, channels]."""
        self._answer.add(block, recording=False)

    def features(self) -> dict[str, float]:
        """The numbers of the module's docstring, by name."""
        return {
            "level_dbfs": self._input.active_db(),
            "snr_db": self._snr_db(),
            "clipped_ratio": self._input.clipped / max(self._input.samples, 1),
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
