"""Weights to start a training from: a checkpoint's or a model's; a recurrent network may grow.

It may be made wider, or get a preview, which begins as nothing.

Widening repeats units and shares out what they send on, so the wider network computes (up to its layer normalisation
and the noise that tells the twins apart) what the narrow one did, and goes on learning from there.
Source: Chen, Goodfellow and Shlens, "Net2Net: accelerating learning via knowledge transfer", 2016.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from inference.errors import StoreError
from inference.networks.recurrent import Recurrent, RecurrentConfig
from inference.store import load_weights, parse_entry, read_entries
from training.checkpoint import Checkpoint, Weights

HIDDEN_ROWS = (  # tensors whose first axis is the hidden units; PReLU has one slope for all
    "encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "encoder.1.bias", "decoder.0.weight", "decoder.0.bias",
)  # fmt: skip
TWIN_NOISE = 0.02  # of the deviation of a tensor: enough for twins to part, too little to hear


class Origin(NamedTuple):
    """A network that a training may start from."""

    architecture: str
    hyperparameters: dict[str, Any]
    weights: Weights  # averaged ones of a checkpoint, float32


def origin(start: str, models: Path) -> Origin:
    """The checkpoint in the file `start`, or the model of that key in the folder `models`.

    Raises StoreError where `start` is neither, or the model's files are not what hyperparams.json says.
    """
    if Path(start).is_file():
        checkpoint = Checkpoint.load(Path(start))
        return Origin(checkpoint.architecture, checkpoint.hyperparameters, checkpoint.averaged)
    entries = read_entries(models)
    if start not in entries:
        raise StoreError(f"{start!r} is neither a file nor one of the models {', '.join(sorted(entries))} in {models}")
    info = parse_entry(start, entries[start])
    weights = {name: value.float() for name, value in load_weights(models, info).items()}
    return Origin(info.architecture, info.hyperparameters, weights)


def starting_weights(origin: Origin, architecture: str, hyperparameters: dict[str, Any]) -> Weights:
    """The weights of `origin` for a network of these hyperparameters.

    Raises ValueError when they differ in more than a larger `hidden` or a preview more of the recurrent network.
    """
    if (origin.architecture, origin.hyperparameters) == (architecture, hyperparameters):
        return origin.weights
    try:
        if {architecture, origin.architecture} != {"recurrent"}:
            raise ValueError("only a recurrent network can grow")
        return _grown(origin.weights, RecurrentConfig(**origin.hyperparameters), RecurrentConfig(**hyperparameters))
    except ValueError as error:
        found = f"the start is a {origin.architecture} network with {origin.hyperparameters}"
        raise ValueError(f"{found}: {error}") from None


def _grown(weights: Weights, old: RecurrentConfig, new: RecurrentConfig) -> Weights:
    """Widened, and with a preview that begins as nothing."""
    if old.hidden > new.hidden or (old.preview and old != new):
        raise ValueError("it may become wider or get a preview, no more")
    if replace(old, hidden=new.hidden, preview=new.preview, preview_layers=new.preview_layers) != new:
        raise ValueError("the others of its hyperparameters must stay")
    grown = widened(weights, old.hidden, new.hidden) if new.hidden > old.hidden else weights
    if not new.preview:
        return grown
    fresh = Recurrent(new).state_dict()
    return {name: value for name, value in fresh.items() if name.startswith("preview.")} | grown  # a trained one stays


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
