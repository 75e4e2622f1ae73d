"""Weights taken over from an earlier run."""

import dataclasses
from typing import Any

import pytest
import torch

from inference.networks import ARCHITECTURES
from training.checkpoint import Checkpoint
from training.forward import estimate
from training.start import starting_weights

SMALL = {"hidden": 16, "layers": 2, "stride": 2}


def hyperparameters(**changed: Any) -> dict[str, Any]:
    return dataclasses.asdict(ARCHITECTURES["recurrent"].config(**{**SMALL, **changed}))


def checkpoint() -> Checkpoint:
    torch.manual_seed(1)
    weights = ARCHITECTURES["recurrent"].build(hyperparameters()).state_dict()
    return Checkpoint("recurrent", hyperparameters(), {}, 0, 0.0, 0.0, weights, weights, {}, torch.get_rng_state(), 0.0)


@torch.no_grad()
def answer(weights: dict[str, torch.Tensor], wanted: dict[str, Any]) -> torch.Tensor:
    network = ARCHITECTURES["recurrent"].build(wanted)
    network.load_state_dict(weights)
    return estimate(network, 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(2)))


def test_the_same_network_is_taken_as_it_is() -> None:
    same = starting_weights(checkpoint(), "recurrent", hyperparameters())
    assert all(torch.equal(value, checkpoint().averaged[name]) for name, value in same.items())


@pytest.mark.parametrize("hidden", [20, 32])
def test_a_wider_network_begins_with_what_the_narrow_one_computes(hidden: int) -> None:
    wanted = hyperparameters(hidden=hidden)
    narrow = answer(checkpoint().averaged, hyperparameters())
    wide = answer(starting_weights(checkpoint(), "recurrent", wanted), wanted)
    error = (wide - narrow).square().sum() / narrow.square().sum()
    assert 10 * torch.log10(error) < -25


@pytest.mark.parametrize("changed", [{"hidden": 8}, {"layers": 1}, {"hidden": 32, "taps": 1}])
def test_another_network_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="recurrent"):
        starting_weights(checkpoint(), "recurrent", hyperparameters(**changed))
