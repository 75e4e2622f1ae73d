"""Checkpoints: everything that a training needs to go on as if it had never stopped, in one file.

Batches depend on the seed and the step only (see `training.mixtures`), so the step stands for the state of the data.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Weights = dict[str, Tensor]


@dataclass
class Checkpoint:
    """The content of a checkpoint file: tensors, numbers and strings only, so it loads without unpickling code."""

    architecture: str
    hyperparameters: dict[str, Any]
    options: dict[str, Any]  # the command line, for the record
    step: int
    elapsed: float  # seconds of training so far
    audio_seconds: float
    network: Weights
    averaged: Weights
    optimizer: dict[str, Any]
    random_state: Tensor
    best: float  # best validation figure so far

    def save(self, file: Path) -> None:
        """Write atomically: a reader or a crash never meets half a file."""
        partial = file.with_suffix(".partial")
        torch.save(vars(self), partial)
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        partial.replace(file)

    @classmethod
    def load(cls, file: Path) -> "Checkpoint":
        """Read what `save` wrote; tensors come to the CPU."""
        return cls(**torch.load(file, map_location="cpu", weights_only=True))


class Average:
    """Exponential moving average of a network's weights; fast at first, with `decay` in the long run."""

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights: Weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: torch.nn.Module, step: int) -> None:
        """Take in the weights after `step`."""
        share = 1.0 - min(self.decay, (1.0 + step) / (10.0 + step))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, share)
            else:
                self.weights[name].copy_(value)
