"""A differentiable relative of PESQ: loudness that was added to the speech, and loudness that went missing.

    bins -> 49 Bark bands -> loudness above the threshold of hearing -> difference, small ones masked
         -> over bands, split seconds and time -> 0.1 * symmetric + 0.0309 * asymmetric disturbance

What PESQ does before (time alignment, equalising the reference, levelling each frame) is left out: an estimate is
aligned, and a wrong level or colour is an error here.

Sources: ITU-T P.862, 2001, sections 10.2.2 to 10.2.7 (disturbances and their sums) and P.862.2 (wide band);
Martin-Donas et al., "A deep learning loss function based on the perceptual evaluation of the speech quality", 2018
(as a loss); Zwicker and Fastl, "Psychoacoustics", 1990 (Bark scale, loudness); Terhardt, "Calculating virtual pitch",
1979 (threshold of hearing).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inference.spectral import BINS, SAMPLING_RATE

BANDS = 49  # as in P.862.2
LISTENING_LEVEL = 79.0  # dB SPL of the speech
EXPONENT = 0.23  # of loudness over intensity
LOUDNESS = 0.1866  # sone: scales loudness so that 1 kHz at 40 dB SPL has about 1 sone
MASKED_SHARE = 0.25  # of the smaller loudness: a difference below it is not heard
LOUDEST_DISTURBANCE = 45.0  # of a frame
SPLIT_SECOND = 20  # frames, half overlapping: the worst moment in them counts most
SYMMETRIC, ASYMMETRIC = 0.1, 0.0309  # PESQ points for a disturbance of 1


class Bark(NamedTuple):
    """Constants of the bands, float32."""

    bands: Tensor  # [BINS, BANDS], share of each bin that lies in each band
    threshold: Tensor  # [BANDS], intensity that is just heard, 1 = 0 dB SPL
    width: float  # Bark of a band


@lru_cache(maxsize=2)
def bark(device: torch.device) -> Bark:
    """Bands of equal width on the Bark scale from 0 Hz to half the sampling rate."""
    bin_width = SAMPLING_RATE / 2 / (BINS - 1)
    grid = np.linspace(0, SAMPLING_RATE / 2, 20_001)
    scale = 13 * np.arctan(0.00076 * grid) + 3.5 * np.arctan(np.square(grid / 7500))
    edges = np.interp(np.linspace(0, scale[-1], BANDS + 1), scale, grid)  # Hz
    low = np.maximum((np.arange(BINS) - 0.5) * bin_width, 0)[:, None]
    high = np.minimum((np.arange(BINS) + 0.5) * bin_width, SAMPLING_RATE / 2)[:, None]
    shared = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) / (high - low)
    kilohertz = (edges[1:] + edges[:-1]) / 2000
    decibels = 3.64 * kilohertz**-0.8 - 6.5 * np.exp(-0.6 * (kilohertz - 3.3) ** 2) + 1e-3 * kilohertz**4
    threshold = 10 ** (decibels / 10)
    return Bark(
        torch.tensor(shared, dtype=torch.float32, device=device),
        torch.tensor(threshold, dtype=torch.float32, device=device),
        float(scale[-1] / BANDS),
    )


def disturbance(estimate: Tensor, target: Tensor) -> Tensor:
    """PESQ points lost [batch], 0 where both are equal.

    Of the powers [batch, frames, BINS] of spectra scaled so that the target has a mean square of 1 and white noise of
    variance 1 has bins of power 1. Without speech in the target the figure means nothing.
    """
    constants = bark(target.device)
    intensity = 10 ** (LISTENING_LEVEL / 10) / (BINS - 1)
    heard, meant = (power @ constants.bands * intensity for power in (estimate, target))  # [batch, frames, BANDS]
    difference = _audible(_loudness(heard, constants.threshold), _loudness(meant, constants.threshold))
    # added loudness is worse than loudness that went missing, and a little of it does not count
    ratio = ((heard.detach() + 50.0) / (meant + 50.0)).pow(1.2).clamp_max(12.0)
    asymmetry = torch.where(ratio < 3.0, 0.0, ratio)
    weight = (target.mean(dim=-1) + 0.01).pow(0.04)  # a frame of the speech is worth more than a pause
    scale = constants.width * (BANDS * constants.width) ** 0.5
    symmetric = scale * (difference.square().sum(dim=-1) + 1e-8).sqrt() / weight
    asymmetric = constants.width * (difference.abs() * asymmetry).sum(dim=-1) / weight
    return SYMMETRIC * _over_time(symmetric) + ASYMMETRIC * _over_time(asymmetric)


def _loudness(intensity: Tensor, threshold: Tensor) -> Tensor:
    """Sone per Bark of each band; 0 at the threshold of hearing and below."""
    above = torch.log(0.5 + 0.5 * intensity / threshold).clamp_min(0.0)
    return LOUDNESS * (threshold / 0.5).pow(EXPONENT) * torch.expm1(EXPONENT * above)


def _audible(heard: Tensor, meant: Tensor) -> Tensor:
    """The difference of two loudnesses where it exceeds what the smaller one masks."""
    difference = heard - meant
    return difference.sign() * (difference.abs() - MASKED_SHARE * torch.minimum(heard, meant)).clamp_min(0.0)


def _over_time(frames: Tensor) -> Tensor:
    """[batch] from [batch, frames]: the sixth-power mean of split seconds, then their root mean square."""
    bounded = frames.clamp_max(LOUDEST_DISTURBANCE)[:, None]
    length = min(SPLIT_SECOND, bounded.shape[-1])
    sixth = functional.avg_pool1d(bounded.pow(6), length, max(length // 2, 1))[:, 0] + 1e-12
    return sixth.pow(1 / 3).mean(dim=-1).sqrt()
