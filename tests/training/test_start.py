"""Weights taken over from an earlier run, or from a model."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.errors import StoreError
from inference.networks import ARCHITECTURES
from training import export
from training.checkpoint import Checkpoint
from training.forward import estimate
from training.start import Origin, origin, starting_weights

SMALL = {"hidden": 16, "layers": 2, "stride": 2}


def hyperparameters(**changed: Any) -> dict[str, Any]:
    return dataclasses.asdict(ARCHITECTURES["recurrent"].config(**{**SMALL, **changed}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A checkpoint."""
    torch.manual_seed(1)
    weights = ARCHITECTURES["recurrent"].build(hyperparameters()).state_dict()
    state = torch.get_rng_state()
    path = tmp_path / "best.pt"
    Checkpoint("recurrent", hyperparameters(), {}, 0, 0.0, 0.0, weights, weights, {}, state, 0.0).save(path)
    return path


@pytest.fixture
def begun(file: Path) -> Origin:
    return origin(str(file), file.parent)


@torch.no_grad()
def answer(weights: dict[str, torch.Tensor], wanted: dict[str, Any]) -> torch.Tensor:
    network = ARCHITECTURES["recurrent"].build(wanted)
    network.load_state_dict(weights)
    return estimate(network, 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(2)))


def test_the_same_network_is_taken_as_it_is(file: Path, begun: Origin) -> None:
    same = starting_weights(begun, "recurrent", hyperparameters())
    assert all(torch.equal(value, Checkpoint.load(file).averaged[name]) for name, value in same.items())


def test_a_model_is_taken_by_its_key(file: Path, begun: Origin) -> None:
    export.main([str(file), "--key", "small", "--version", "1", "--half", "--models", str(file.parent)])
    exported = origin("small", file.parent)
    assert exported[:2] == begun[:2]
    for name, value in exported.weights.items():
        torch.testing.assert_close(value, begun.weights[name], rtol=1e-3, atol=1e-6)


def test_neither_file_nor_model_is_said(file: Path) -> None:
    export.main([str(file), "--key", "small", "--version", "1", "--models", str(file.parent)])
    with pytest.raises(StoreError, match="'large' is neither a file nor one of the models small in "):
        origin("large", file.parent)


@pytest.mark.parametrize("hidden", [20, 32])
def test_a_wider_network_begins_with_what_the_narrow_one_computes(begun: Origin, hidden: int) -> None:
    wanted = hyperparameters(hidden=hidden)
    narrow = answer(begun.weights, hyperparameters())
    wide = answer(starting_weights(begun, "recurrent", wanted), wanted)
    error = (wide - narrow).square().sum() / narrow.square().sum()
    assert 10 * torch.log10(error) < -25


@pytest.mark.parametrize("changed", [{"hidden": 8}, {"layers": 1}, {"hidden": 32, "taps": 1}])
def test_another_network_is_refused(begun: Origin, changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="recurrent"):
        starting_weights(begun, "recurrent", hyperparameters(**changed))


def test_a_preview_begins_as_nothing(begun: Origin) -> None:
    wanted = hyperparameters(preview=8, preview_layers=2)
    weights = starting_weights(begun, "recurrent", wanted)
    assert weights["preview.narrow.weight"].count_nonzero() > 0
    torch.testing.assert_close(answer(weights, wanted), answer(begun.weights, hyperparameters()), rtol=1e-4, atol=1e-5)


def test_a_preview_stays_as_it_is(begun: Origin) -> None:
    small = hyperparameters(preview=8)
    weights = starting_weights(begun, "recurrent", small)
    said_by_default = {name: value for name, value in small.items() if name != "preview_layers"}
    again = starting_weights(Origin("recurrent", said_by_default, weights), "recurrent", small)
    assert all(torch.equal(value, weights[name]) for name, value in again.items())
    with pytest.raises(ValueError, match="wider or get a preview"):
        starting_weights(Origin("recurrent", small, weights), "recurrent", hyperparameters(preview=16))
