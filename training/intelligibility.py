"""A differentiable relative of ESTOI: how much of the speech's modulation is missing or wrong.

    bins -> 15 third-octave bands -> amplitudes over 0.38 s -> each band, then each frame to zero mean and unit length
         -> correlation of estimate and target

ESTOI works at 10 kHz with frames of 25.6 ms; here the frames are those of the network (`inference.spectral`), every
fourth of the segments is taken, and silent stretches of the target are left out by segments, not by frames.

Source: Jensen and Taal, "An algorithm for predicting the intelligibility of speech masked by modulated noise maskers",
2016.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from inference.spectral import BINS, SAMPLING_RATE

BANDS = 15
LOWEST_CENTRE = 150.0  # Hz
SEGMENT = 24  # frames: 0.38 s
STEP = 4  # frames between the beginnings of two segments
SILENT_DB = 40.0  # below the loudest segment of the target
TINY = 1e-8


@lru_cache(maxsize=2)
def third_octaves(device: torch.device) -> Tensor:
    """[BINS, BANDS], 1 where the middle of a bin lies in a band."""
    centres = LOWEST_CENTRE * 2 ** (np.arange(BANDS) / 3)
    frequencies = np.linspace(0, SAMPLING_RATE / 2, BINS)[:, None]
    inside = (frequencies >= centres * 2 ** (-1 / 6)) & (frequencies < centres * 2 ** (1 / 6))
    return torch.tensor(inside, dtype=torch.float32, device=device)


def missed(estimate: Tensor, target: Tensor) -> Tensor:
    """1 - ESTOI [batch], 0 where both are equal, of powers [batch, frames, BINS]; 0 for fewer frames than a segment.

    The scale of the powers does not matter as long as that of the target is about 1.
    """
    if target.shape[1] < SEGMENT:
        return target.new_zeros(len(target))
    bands = third_octaves(target.device)
    heard, meant = ((power @ bands + TINY).sqrt().unfold(1, SEGMENT, STEP) for power in (estimate, target))
    energy = meant.square().mean(dim=(2, 3))  # [batch, segments]
    loud = (energy > energy.amax(dim=1, keepdim=True) * 10 ** (-SILENT_DB / 10)).float()
    correlation = (_normalised(heard) * _normalised(meant)).sum(dim=(2, 3)) / SEGMENT
    return 1 - (correlation * loud).sum(dim=1) / loud.sum(dim=1)


def _normalised(segments: Tensor) -> Tensor:
    """[batch, segments, BANDS, SEGMENT]: rows, then columns, to zero mean and unit length."""
    for axis in (3, 2):
        segments = segments - segments.mean(dim=axis, keepdim=True)
        segments = segments * (segments.square().sum(dim=axis, keepdim=True) + TINY).rsqrt()
    return segments
