"""The running level of a stream: what features are measured against, so that loudness does not matter."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from inference.spectral import HOP, SAMPLING_RATE

TIME_CONSTANT = 2.0  # seconds
DECAY = math.exp(-HOP / SAMPLING_RATE / TIME_CONSTANT)  # per frame
SILENCE = 1e-10  # power per bin that counts as none: some 30 dB below the quantisation noise of 16 bits


class LevelState(NamedTuple):
    """Weighted sum of the frame powers so far and the sum of the weights, each [batch, 1], float64."""

    power: Tensor
    weight: Tensor

    @classmethod
    def initial(cls, batch: int, device: torch.device | str = "cpu") -> "LevelState":
        """Before the first frame nothing has been seen."""
        zeros = torch.zeros(batch, 1, dtype=torch.float64, device=device)
        return cls(zeros, zeros)

    @classmethod
    def merged(cls, states: "Sequence[LevelState]") -> "LevelState":
        """The levels of the streams of all `states`."""
        return cls(*(torch.cat(parts) for parts in zip(*states, strict=True)))

    def parted(self, sizes: Sequence[int]) -> "list[LevelState]":
        """The levels of the streams, `sizes` of them each."""
        return [LevelState(*parts) for parts in zip(*(part.split(list(sizes)) for part in self), strict=True)]


def running_level(power: Tensor, state: LevelState) -> tuple[Tensor, LevelState]:
    """Exponentially weighted mean of `power` [batch, frames] up to each frame, and the state after the last.

    The weights are normalised by their sum, so the mean is right from the first frame on. Computed without a loop:
    s[t] = d s[t-1] + p[t] is d^t times the cumulative sum of p[k] d^-k; float64 holds d^-k for over 20 minutes of
    frames in one call.
    """
    frames = power.shape[-1]
    growth = DECAY ** -torch.arange(1, frames + 1, dtype=torch.float64, device=power.device)
    power_sum = (state.power + torch.cumsum(power.double() * growth, dim=-1)) / growth
    weight_sum = (state.weight + torch.cumsum(growth, dim=-1)) / growth
    level = (power_sum / weight_sum).float().clamp_min(SILENCE)
    if frames == 0:
        return level, state
    return level, LevelState(power_sum[:, -1:], weight_sum[:, -1:])
