"""Architectures: one a file, found through an explicit table, never by looking a class name up.

Every network estimates clean spectra from noisy ones in blocks of any number of frames, and carries its memory from
block to block in a state that it makes itself, so that enhancing in blocks equals enhancing at once. Spectra and masks
are float32; what is computed with the weights has their type.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from inference.networks.dae import Autoencoder, AutoencoderConfig
from inference.networks.lsa import Lsa, LsaConfig
from inference.networks.recurrent import Recurrent, RecurrentConfig


class Network(Protocol):
    """What `Enhancer` and training need of a network; batch entries must not influence each other."""

    lookahead: int  # frames: output frame i estimates input frame i - lookahead

    def initial_state(self, batch: int) -> Any:
        """The state before the first frame of `batch` streams."""

    def __call__(self, spectra: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Estimate [batch, frames, BINS], complex, and the next state from `spectra` of the same shape."""

    def phase(self, state: Any) -> int:
        """States of the same phase can be merged; those of the beginning can."""

    def merged(self, states: Sequence[Any]) -> Any:
        """One state of the streams of all `states`, in their order."""

    def parted(self, state: Any, sizes: Sequence[int]) -> list[Any]:
        """The states of its streams, `sizes` of them each."""


@dataclass(frozen=True)
class Architecture:
    """A dataclass of hyperparameters and the module that is built from it."""

    config: type[Any]
    module: Callable[[Any], nn.Module]

    def build(self, hyperparameters: dict[str, Any]) -> nn.Module:
        """The module; raises TypeError or ValueError for hyperparameters that it does not have or cannot take."""
        lists_as_tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in hyperparameters.items()}
        return self.module(self.config(**lists_as_tuples))


ARCHITECTURES: dict[str, Architecture] = {
    "lsa": Architecture(LsaConfig, Lsa),
    "dae": Architecture(AutoencoderConfig, Autoencoder),
    "recurrent": Architecture(RecurrentConfig, Recurrent),
}
