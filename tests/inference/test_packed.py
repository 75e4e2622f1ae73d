"""Packed LSTM weights: the same numbers as the plain ones, and no trace of them where they are not possible."""

import pytest
import torch
from torch import nn

from inference.networks.packed import PackedLstm, pack

LAYERS, HIDDEN = 2, 32


class Network(nn.Module):
    """Something with an LSTM in it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.trunk = nn.LSTM(HIDDEN, HIDDEN, LAYERS, batch_first=True)
        self.requires_grad_(False)


def packed_network(dtype: torch.dtype = torch.float32) -> Network:
    network = Network().eval().to(dtype)
    pack(network)
    if not isinstance(network.trunk, PackedLstm):
        pytest.skip("this processor or this torch cannot pack")
    return network


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (1, 37), (3, 16)])
@torch.inference_mode()
def test_packed_equals_plain(dtype: torch.dtype, batch: int, steps: int) -> None:
    packed = packed_network(dtype).trunk
    generator = torch.Generator().manual_seed(steps)
    values = [
        torch.randn(*shape, HIDDEN, generator=generator).to(dtype)
        for shape in ((batch, steps), (LAYERS, batch), (LAYERS, batch))
    ]
    answer, states = packed(values[0], (values[1], values[2]))
    expected, expected_states = packed.plain(values[0], (values[1], values[2]))
    torch.testing.assert_close(answer, expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 4e-3)
    for state, expected_state in zip(states, expected_states, strict=True):
        torch.testing.assert_close(state, expected_state, rtol=0, atol=1e-6 if dtype == torch.float32 else 4e-3)


@torch.inference_mode()
def test_another_number_format_unpacks() -> None:
    network = packed_network()
    steps, state = torch.ones(1, 4, HIDDEN), torch.zeros(LAYERS, 1, HIDDEN)
    before, _ = network.trunk(steps, (state, state))
    after, _ = network.double().trunk(steps.double(), (state.double(), state.double()))
    torch.testing.assert_close(after.float(), before, rtol=0, atol=1e-5)


def test_what_cannot_be_packed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr("inference.networks.packed._packed", refuse)
    network = Network().eval()
    pack(network)
    assert isinstance(network.trunk, nn.LSTM)
