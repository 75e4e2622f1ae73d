"""Weights to start a training from: those of an earlier run, its recurrent network made wider where that is asked for.

Widening repeats units and shares out what they send on, so the wider network computes (up to its layer normalisation
and the noise that tells the twins apart) what the narrow one did, and goes on learning from there.
Source: Chen, Goodfellow and Shlens, "Net2Net: accelerating learning via knowledge transfer", 2016.
"""

from typing import Any

import torch
from torch import Tensor

from training.checkpoint import Checkpoint, Weights

HIDDEN_ROWS = (  # tensors whose first axis is the hidden units; PReLU has one slope for all
    "encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias", "decoder.0.weight", "decoder.0.bias",
)  # fmt: skip
TWIN_NOISE = 0.02  # of the deviation of a tensor: enough for twins to part, too little to hear


def starting_weights(checkpoint: Checkpoint, architecture: str, hyperparameters: dict[str, Any]) -> Weights:
    """The averaged weights of `checkpoint` for a network of these hyperparameters.

    Raises ValueError when they differ in more than a larger `hidden` of the recurrent network.
    """
    if (checkpoint.architecture, checkpoint.hyperparameters) == (architecture, hyperparameters):
        return checkpoint.averaged
    old, new = checkpoint.hyperparameters.get("hidden", 0), hyperparameters.get("hidden", 0)
    same = {**checkpoint.hyperparameters, "hidden": new} == hyperparameters
    if architecture != "recurrent" or checkpoint.architecture != architecture or not same or old > new:
        raise ValueError(f"the checkpoint is of {checkpoint.architecture} {checkpoint.hyperparameters}")
    return widened(checkpoint.averaged, old, new)


def widened(weights: Weights, old: int, new: int) -> Weights:
    """Weights of a recurrent network of `old` hidden units as those of one with `new`; needs old <= new <= 2 * old."""
    twins = torch.randperm(old)[: new - old]
    source = torch.cat([torch.arange(old), twins])  # [new], the unit that each new unit repeats
    shares = torch.where(torch.isin(source, twins), 0.5, 1.0)  # of what a repeated unit sends on
    return {name: _wider(name, value, source, shares) for name, value in weights.items()}


def _wider(name: str, value: Tensor, source: Tensor, shares: Tensor) -> Tensor:
    module = name.partition(".")[0]
    if module == "trunk":
        return _wider_gates(value, source, shares)
    if value.ndim == 2 and name != "encoder.0.weight":  # inputs of decoder, gains and filters: hidden units
        blocks = value.shape[1] // (int(source.max()) + 1)
        value = torch.cat([_parted(block[:, source] * shares) for block in value.chunk(blocks, dim=1)], dim=1)
    return value[source].contiguous() if name in HIDDEN_ROWS else value


def _wider_gates(value: Tensor, source: Tensor, shares: Tensor) -> Tensor:
    """Of an LSTM: four gates one below the other, each with a row for every unit."""
    rows = torch.cat([gate[source] for gate in value.chunk(4)])
    return rows if value.ndim == 1 else _parted(rows[:, source] * shares)


def _parted(matrix: Tensor) -> Tensor:
    return matrix + TWIN_NOISE * matrix.std() * torch.randn_like(matrix)
