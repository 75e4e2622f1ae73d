"""A fixed set of mixtures of unseen speech and noise, and what a network makes of them."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from inference.spectral import stft
from training.forward import estimate
from training.losses import LossWeights, enhancement_loss, normalising_gain
from training.metrics import pesq, si_sdr
from training.mixtures import PLAIN, Mixer, Pair
from training.sampler import Sampler

SNRS = (-5.0, 0.0, 5.0, 10.0, 15.0)  # dB
SEED = 20_240


class Validation(NamedTuple):
    """Means over the set; PESQ over every second mixture, because it is slow."""

    loss: float
    pesq: float
    si_sdr_gain: float


def validation_set(speech: Sampler, noise: Sampler, items: int, seconds: float) -> Pair:
    """`items` mixtures, spread evenly over SNRS."""
    batches = []
    for index, snr in enumerate(SNRS):
        recipe = replace(PLAIN, seconds=seconds, snr_low=snr, snr_high=snr, snr_hard=snr)
        batches.append(Mixer(speech, noise, [], recipe, SEED).batch(index, max(items // len(SNRS), 1)))
    return Pair(np.concatenate([batch.noisy for batch in batches]), np.concatenate([batch.clean for batch in batches]))


@torch.inference_mode()
def validate(network: nn.Module, pairs: Pair, weights: LossWeights, device: str) -> Validation:
    """Run `network` over the set in full precision."""
    noisy, clean = torch.from_numpy(pairs.noisy).to(device), torch.from_numpy(pairs.clean).to(device)
    samples = estimate(network, noisy)
    loss = enhancement_loss(stft(samples), stft(clean), samples, clean, normalising_gain(clean, noisy), weights).total
    outputs = samples.cpu().numpy()
    gains = [si_sdr(c, o) - si_sdr(c, n) for c, o, n in zip(pairs.clean, outputs, pairs.noisy, strict=True)]
    scores = [pesq(c, o) for c, o in zip(pairs.clean[::2], outputs[::2], strict=True)]
    return Validation(float(loss), float(np.nanmean(scores)), float(np.mean(gains)))
