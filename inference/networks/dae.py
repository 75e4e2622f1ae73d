"""The log-magnitude denoising autoencoder: every frame by itself through a bottleneck, phase kept from the input.

Source: Nossier et al., "A comparative study of time and frequency domain approaches to deep learning based speech
enhancement", IJCNN, 2020 (fully connected autoencoder on log-magnitude frames). Two changes: magnitudes are relative
to the running level, and the estimate never exceeds the noisy magnitude, so that silence stays silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.networks.level import LevelState, running_level
from inference.spectral import BINS

FLOOR = 1e-6  # power relative to the running level: 60 dB below it counts as nothing


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """Hyperparameters of `Autoencoder`."""

    hidden: tuple[int, ...] = (1024, 512)  # units of the layers towards the bottleneck; mirrored behind it
    latent: int = 256  # units of the bottleneck


class Autoencoder(nn.Module):
    """See the module docstring. No memory beyond the running level, no look-ahead."""

    lookahead = 0

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        sizes = [BINS, *config.hidden, config.latent, *reversed(config.hidden)]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], BINS))

    def initial_state(self, batch: int) -> LevelState:
        """The state before the first frame."""
        return LevelState.initial(batch, next(self.parameters()).device)

    def forward(self, spectra: Tensor, state: LevelState) -> tuple[Tensor, LevelState]:
        """Estimate [batch, frames, BINS] of the clean spectra."""
        power = spectra.real.square() + spectra.imag.square()
        reference, state = running_level(power.mean(dim=-1), state)
        noisy = 0.5 * torch.log(power / reference[..., None] + FLOOR)  # log-magnitude, nepers
        features = ((noisy + 2.0) / 2.0).to(
            next(self.parameters()).dtype
        )  # about zero mean and unit variance on speech
        clean = self.layers(features).float()
        log_gain = -functional.softplus(noisy - clean)  # a smooth min(clean, noisy) - noisy
        return spectra * torch.exp(log_gain), state

    def phase(self, state: LevelState) -> int:
        """All streams go together."""
        return 0

    def merged(self, states: Sequence[LevelState]) -> LevelState:
        """One state of the streams of all `states`."""
        return LevelState.merged(states)

    def parted(self, state: LevelState, sizes: Sequence[int]) -> list[LevelState]:
        """The states of the streams, `sizes` of them each."""
        return state.parted(sizes)
