"""A whole batch of waveforms through a network, as training and validation need it."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.spectral import istft, stft


def precision_context(precision: str, device: str) -> AbstractContextManager[None]:
    """What the network runs under: plain float32, or autocast to bfloat16 for its matrix products."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device, dtype=torch.bfloat16)


def estimate(network: nn.Module, noisy: Tensor, *, precision: str = "fp32") -> Tensor:
    """Estimated samples [batch, n] of `noisy` [batch, n], without delay."""
    spectra = stft(noisy)
    lookahead = int(network.lookahead)  # type: ignore[arg-type]
    padded = functional.pad(torch.view_as_real(spectra), (0, 0, 0, 0, 0, lookahead))
    with precision_context(precision, noisy.device.type):
        answer, _ = network(torch.view_as_complex(padded), network.initial_state(len(noisy)))  # type: ignore[operator]
    return istft(answer[:, lookahead:], noisy.shape[-1])
