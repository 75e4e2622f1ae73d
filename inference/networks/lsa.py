"""MMSE log-spectral amplitude estimation with a tracked noise spectrum: classical, no weights.

Sources: Ephraim and Malah, "Speech enhancement using a minimum mean-square error log-spectral amplitude estimator",
IEEE TASSP, 1985 (the gain and the decision-directed a-priori SNR); Gerkmann and Hendriks, "Unbiased MMSE-based noise
power estimation with low complexity and low tracking delay", IEEE TASLP, 2012 (the noise spectrum).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import exp1
from torch import Tensor, nn

from inference.spectral import BINS

Array = NDArray[np.float64]

SILENCE = 1e-10  # power of a bin that counts as none; keeps the ratios finite


@dataclass(frozen=True, kw_only=True)
class LsaConfig:
    """Hyperparameters of `Lsa`, with the values of the papers named above."""

    prior_smoothing: float = 0.98  # weight of the past in the decision-directed a-priori SNR
    prior_floor_db: float = -25.0  # least a-priori SNR, dB
    speech_snr_db: float = 15.0  # SNR that speech is expected to have where it is present, dB
    noise_smoothing: float = 0.8  # weight of the past in the noise power
    presence_smoothing: float = 0.9  # weight of the past in the mean presence probability
    presence_ceiling: float = 0.99  # keeps the tracker from stalling when the noise rises
    onset_frames: int = 6  # frames at the start (16 ms each) taken for noise alone


class LsaState(NamedTuple):
    """What one frame hands to the next; arrays [batch, BINS]."""

    frames: int  # seen so far
    noise: Array  # estimated noise power
    presence: Array  # smoothed probability that speech is present
    speech: Array  # estimated speech power of the frame before


class Lsa(nn.Module):
    """See the module docstring. Frame by frame, causal; computed in float64 on the CPU."""

    lookahead = 0

    def __init__(self, config: LsaConfig) -> None:
        super().__init__()
        self.config = config
        self._prior_floor = 10.0 ** (config.prior_floor_db / 10.0)
        self._speech_snr = 10.0 ** (config.speech_snr_db / 10.0)

    def initial_state(self, batch: int) -> LsaState:
        """Nothing heard yet."""
        zeros = np.zeros((batch, BINS))
        return LsaState(0, zeros, zeros, zeros)

    def forward(self, spectra: Tensor, state: LsaState) -> tuple[Tensor, LsaState]:
        """Estimate [batch, frames, BINS] of the clean spectra."""
        power = (spectra.real.square() + spectra.imag.square()).double().cpu().numpy()
        gains = np.empty(power.shape)
        for frame in range(power.shape[1]):
            gains[:, frame], state = self._step(power[:, frame], state)
        return spectra * torch.from_numpy(gains).to(spectra.device, torch.float32), state

    def phase(self, state: LsaState) -> int:
        """Frames seen so far: streams that have seen as many go together."""
        return state.frames

    def merged(self, states: Sequence[LsaState]) -> LsaState:
        """One state of the streams of all `states`, which have the same phase."""
        arrays = (np.concatenate(parts) for parts in zip(*(state[1:] for state in states), strict=True))
        return LsaState(states[0].frames, *arrays)

    def parted(self, state: LsaState, sizes: Sequence[int]) -> list[LsaState]:
        """The states of the streams, `sizes` of them each."""
        ends = np.cumsum(sizes)[:-1]
        return [
            LsaState(state.frames, *parts)
            for parts in zip(*(np.split(array, ends) for array in state[1:]), strict=True)
        ]

    def _step(self, power: Array, state: LsaState) -> tuple[Array, LsaState]:
        noise, presence = self._track_noise(power, state)
        posterior = np.minimum(power / noise, 1e4)
        smoothing = self.config.prior_smoothing
        prior = smoothing * state.speech / noise + (1.0 - smoothing) * np.maximum(posterior - 1.0, 0.0)
        prior = np.maximum(prior, self._prior_floor)
        wiener = prior / (1.0 + prior)
        exponent = np.maximum(wiener * posterior, 1e-8)  # exp1 diverges at 0
        gains = np.minimum(wiener * np.exp(0.5 * exp1(exponent)), 1.0)
        return gains, LsaState(state.frames + 1, noise, presence, gains**2 * power)

    def _track_noise(self, power: Array, state: LsaState) -> tuple[Array, Array]:
        c = self.config
        if state.frames < c.onset_frames:
            mean = (state.noise * state.frames + power) / (state.frames + 1)
            return np.maximum(mean, SILENCE), state.presence
        snr = self._speech_snr
        likelihood = (1.0 + snr) * np.exp(-np.minimum(power / state.noise, 200.0) * snr / (1.0 + snr))
        probability = 1.0 / (1.0 + likelihood)  # speech and noise equally likely beforehand
        presence = c.presence_smoothing * state.presence + (1.0 - c.presence_smoothing) * probability
        stalled = presence > c.presence_ceiling
        probability = np.where(stalled, np.minimum(probability, c.presence_ceiling), probability)
        expected = probability * state.noise + (1.0 - probability) * power
        noise = c.noise_smoothing * state.noise + (1.0 - c.noise_smoothing) * expected
        return np.maximum(noise, SILENCE), presence
