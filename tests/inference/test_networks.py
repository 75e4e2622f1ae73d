"""Properties every architecture promises: blocks equal whole, batch entries apart, silence, causality, level."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inference.networks import ARCHITECTURES
from inference.networks.recurrent import RecurrentConfig
from inference.spectral import stft

FRAMES = 90


SMALL: list[tuple[str, dict[str, Any]]] = [
    ("lsa", {}),
    ("dae", {"hidden": [64], "latent": 16}),
    ("recurrent", {"hidden": 32}),
    ("recurrent", {"hidden": 32, "stride": 2}),
    ("recurrent", {"hidden": 32, "stride": 2, "preview": 8, "preview_layers": 2}),
]


@pytest.fixture(params=SMALL, ids=str)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(1)
    architecture, hyperparameters = request.param
    network = ARCHITECTURES[architecture].build(hyperparameters).eval()
    if architecture == "recurrent":  # what starts at zero is made to count
        nn.init.normal_(network.filters.weight, std=0.05)
        if network.preview is not None:
            nn.init.normal_(network.preview.widen.weight, std=0.3)
    return network


def spectra(batch: int = 1, seed: int = 0) -> Tensor:
    samples = torch.randn(batch, 256 * (FRAMES - 1), generator=torch.Generator().manual_seed(seed))
    return stft(0.1 * samples)


@torch.inference_mode()
def run(network: nn.Module, noisy: Tensor, cuts: list[int] | None = None) -> Tensor:
    state = network.initial_state(len(noisy))
    estimates = []
    for block in noisy.split(cuts or noisy.shape[1], dim=1):
        estimate, state = network(block, state)
        estimates.append(estimate)
    return torch.cat(estimates, dim=1)


def test_blocks_equal_whole(network: nn.Module) -> None:
    noisy = spectra(batch=2)
    torch.testing.assert_close(run(network, noisy, [1, 0, 1, 7, 30, 51]), run(network, noisy), rtol=1e-4, atol=1e-5)


def test_batch_entries_do_not_influence_each_other(network: nn.Module) -> None:
    first, second = spectra(seed=1), spectra(seed=2) * 3.0
    together = run(network, torch.cat([first, second]))
    torch.testing.assert_close(together, torch.cat([run(network, first), run(network, second)]), rtol=1e-4, atol=1e-5)


def test_silence_stays_silent(network: nn.Module) -> None:
    assert torch.count_nonzero(run(network, torch.zeros_like(spectra()))) == 0


def test_no_frame_uses_more_than_the_lookahead(network: nn.Module) -> None:
    noisy = spectra()
    changed = noisy.clone()
    changed[:, 60:] = 0.0
    torch.testing.assert_close(run(network, changed)[:, :60], run(network, noisy)[:, :60], rtol=1e-4, atol=1e-5)


def test_estimate_is_aligned_after_the_lookahead(network: nn.Module) -> None:
    """With one loud frame in silence, the estimate of that frame comes `lookahead` frames later, and nothing before."""
    noisy = torch.zeros_like(spectra())
    noisy[:, 50] = spectra()[:, 50]
    energy = run(network, noisy).abs().sum(dim=-1)[0]
    assert energy[: 49 + network.lookahead].max() == 0
    assert energy.argmax() == 50 + network.lookahead


def test_estimate_scales_with_the_input(network: nn.Module) -> None:
    noisy = spectra()
    torch.testing.assert_close(run(network, 0.01 * noisy), 0.01 * run(network, noisy), rtol=1e-3, atol=1e-6)


def test_taps_must_not_reach_beyond_the_lookahead() -> None:
    with pytest.raises(ValueError, match="look-ahead"):
        RecurrentConfig(taps=5, lookahead=1)
    with pytest.raises(ValueError, match="odd"):
        RecurrentConfig(taps=2)
    with pytest.raises(ValueError, match="stride"):
        RecurrentConfig(lookahead=3, stride=2)


def test_every_architecture_is_tested() -> None:
    assert {architecture for architecture, _ in SMALL} == set(ARCHITECTURES)


def test_unknown_hyperparameters_are_refused() -> None:
    with pytest.raises(TypeError):
        ARCHITECTURES["recurrent"].build({"hiden": 3})


def test_classical_estimator_removes_steady_noise() -> None:
    noisy = spectra()
    estimate = run(ARCHITECTURES["lsa"].build({}), noisy)
    reduction = estimate[:, 30:].abs().square().sum() / noisy[:, 30:].abs().square().sum()
    assert reduction < 0.1  # at least 10 dB
