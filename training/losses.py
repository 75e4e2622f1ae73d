"""What training minimises: compressed spectra close to the target's, plus a term for the waveform.

    0.7 * mean (|E|^c - |T|^c)^2  +  0.3 * mean |E^c - T^c|^2  +  0.08 * log10(error energy / target energy)
    +  w * PESQ points lost  +  v * ESTOI lost

with c = 0.3 and X^c = |X|^c e^{j arg X}. Estimate and target are first scaled by the level of the target, so loud and
quiet recordings count alike. The last three terms are left out for items without speech; the last two are described
in `training.perceptual` and `training.intelligibility` and cost a tenth of a step, so a weight of 0 leaves them out.

Sources: Ephrat et al., "Looking to listen at the cocktail party", 2018 (power-law compression); Braun and Tashev,
"Data augmentation and loss normalization for deep noise suppression", 2020 (normalised, complex and magnitude parts).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from training.intelligibility import missed
from training.perceptual import disturbance

COMPRESSION = 0.3
FLOOR = 1e-6  # added to powers of normalised spectra (mean about 1): keeps the gradient of the root finite
SPECTRUM_SCALE = 16.0  # root of the energy of the analysis window: white noise of variance 1 has bins of power 1
SILENT = 1e-4  # root mean square of a target without speech
BEST_RATIO = 1e-4  # error / target energy under which nothing more is gained: -40 dB


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weights of the five terms."""

    magnitude: float = 0.7
    complex: float = 0.3
    waveform: float = 0.08
    perceptual: float = 0.0
    intelligibility: float = 0.0


class LossParts(NamedTuple):
    """Scalars; `total` is the weighted sum and carries the gradient."""

    total: Tensor
    magnitude: Tensor
    complex: Tensor
    waveform: Tensor
    perceptual: Tensor
    intelligibility: Tensor


def normalising_gain(clean: Tensor, noisy: Tensor) -> Tensor:
    """Factor [batch] that brings `clean` [batch, n], or `noisy` where there is no speech, to a level of 1."""
    clean_level = clean.square().mean(dim=-1).sqrt()
    noisy_level = noisy.square().mean(dim=-1).sqrt()
    level = torch.where(clean_level > SILENT, clean_level, noisy_level)
    return 1.0 / level.clamp_min(SILENT)


def compressed(real: Tensor, imaginary: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """|X|^c, and X^c as real and imaginary parts, all of the shape of the parts of X given."""
    power = real * real + imaginary * imaginary + FLOOR
    magnitude = torch.exp(torch.log(power) * (COMPRESSION / 2))  # cheaper than pow, above all backwards
    factor = magnitude * torch.rsqrt(power)
    return magnitude, real * factor, imaginary * factor


def error_ratio(estimate: Tensor, clean: Tensor) -> Tensor:
    """log10 of error energy / target energy [batch] of waveforms [batch, n], bounded by BEST_RATIO."""
    error = (estimate - clean).square().sum(dim=-1)
    energy = clean.square().sum(dim=-1)
    return torch.log10(error / energy.clamp_min(1e-12) + BEST_RATIO)


def enhancement_loss(
    estimate_spectra: Tensor, clean_spectra: Tensor, estimate: Tensor, clean: Tensor, gain: Tensor, weights: LossWeights
) -> LossParts:
    """The loss of a batch: spectra [batch, frames, bins], waveforms [batch, n], `gain` from `normalising_gain`."""
    scale = (gain / SPECTRUM_SCALE)[:, None, None]
    target = compressed(clean_spectra.real * scale, clean_spectra.imag * scale)
    answer = compressed(estimate_spectra.real * scale, estimate_spectra.imag * scale)
    magnitude = mse_loss(answer[0], target[0])
    difference = mse_loss(answer[1], target[1]) + mse_loss(answer[2], target[2])
    voiced = (clean.square().mean(dim=-1).sqrt() > SILENT).float()
    waveform = _mean_of(error_ratio(estimate, clean), voiced)
    total = weights.magnitude * magnitude + weights.complex * difference + weights.waveform * waveform
    parts = [magnitude, difference, waveform]
    powers = [spectra.real.square() + spectra.imag.square() for spectra in (estimate_spectra, clean_spectra)]
    heard, meant = (power * scale.square() for power in powers)
    for weight, lost in ((weights.perceptual, disturbance), (weights.intelligibility, missed)):
        part = _mean_of(lost(heard, meant), voiced) if weight else torch.zeros_like(total)
        total = total + weight * part
        parts.append(part)
    return LossParts(total, *(part.detach() for part in parts))


def _mean_of(values: Tensor, counted: Tensor) -> Tensor:
    """Mean of the values [batch] where `counted` [batch] is 1; 0 without any."""
    return (values * counted).sum() / counted.sum().clamp_min(1.0)
