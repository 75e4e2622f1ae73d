"""LSTM weights in the order in which oneDNN reads them, made once instead of in every forward pass.

torch's LSTM hands oneDNN the plain weights, and oneDNN copies them into its own order at every call: for two layers of
256 units 1 MB each time, as long as 20 steps take to compute. Copied before the workers are forked, the weights are
shared by all of them, and short blocks cost hardly more than long ones. torch's own compiler uses the same two
operations (torch/_inductor/fx_passes/mkldnn_fusion.py); they are not in the documented interface, so every network is
tried against the plain one and left alone where anything differs.
"""

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

LSTM_MODE = 2  # ideep's number for the kind of cell
TRIAL_BATCH = 2
TRIAL_STEPS = 5

States = tuple[Tensor, Tensor]


class PackedLstm(nn.Module):
    """An `nn.LSTM` of one direction (batch first, with biases, no dropout) whose weights are packed, for inference.

    Keeps the plain one, which it becomes when it is moved to another device or number format. Raises RuntimeError or
    AttributeError where this build of torch or this processor cannot pack.
    """

    def __init__(self, plain: nn.LSTM) -> None:
        super().__init__()
        self.plain = plain
        self._packed: list[tuple[Tensor, ...]] = [_packed(plain, layer) for layer in range(plain.num_layers)]

    def forward(self, steps: Tensor, states: States) -> tuple[Tensor, States]:
        """As the plain one: [batch, steps, hidden], and the states [layers, batch, hidden] after the last step."""
        if not self._packed:
            answer: tuple[Tensor, States] = self.plain(steps, states)
            return answer
        layer_steps, last = steps.transpose(0, 1).contiguous(), []
        for layer, weights in enumerate(self._packed):
            before = [state[layer : layer + 1] for state in states]
            layer_steps, *after, _ = _run(layer_steps, weights, before, self.plain.hidden_size)
            last.append(after)
        hidden, cell = (torch.cat(each) for each in zip(*last, strict=True))
        return layer_steps.transpose(0, 1), (hidden, cell)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._packed = []
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]


def pack(network: nn.Module) -> None:
    """Replaces every LSTM among the children of `network` that gives the same packed, to the last bit."""
    for name, child in network.named_children():
        if isinstance(child, nn.LSTM) and (packed := _tried(child)) is not None:
            setattr(network, name, packed)


@torch.inference_mode()
def _tried(plain: nn.LSTM) -> PackedLstm | None:
    weights: Tensor = plain.all_weights[0][0]
    shape = TRIAL_BATCH, TRIAL_STEPS, plain.input_size
    steps = torch.linspace(-1, 1, math.prod(shape)).to(weights.dtype).view(shape)
    states = steps.new_zeros(plain.num_layers, TRIAL_BATCH, plain.hidden_size)
    try:
        packed = PackedLstm(plain)
        results = [module(steps, (states, states)) for module in (plain, packed)]
    except (RuntimeError, AttributeError):
        return None
    return packed if all(map(torch.equal, *(_flat(result) for result in results))) else None


def _flat(result: tuple[Tensor, States]) -> tuple[Tensor, ...]:
    return result[0], *result[1]


def _packed(plain: nn.LSTM, layer: int) -> tuple[Tensor, ...]:
    """Weights of the input and of the state, packed, and their biases."""
    inputs, states = (getattr(plain, f"weight_{kind}_l{layer}").detach() for kind in ("ih", "hh"))
    biases = (getattr(plain, f"bias_{kind}_l{layer}").detach() for kind in ("ih", "hh"))
    reordered = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight(
        inputs, states, plain.hidden_size, False, True, plain.batch_first, None
    )
    return (*reordered, *biases)


def _run(steps: Tensor, weights: tuple[Tensor, ...], states: list[Tensor], hidden: int) -> Any:
    """One layer over [steps, batch, features]: its answer, the states after the last step, workspace."""
    return torch.ops.aten.mkldnn_rnn_layer(
        steps, *weights, *states, False, [], LSTM_MODE, hidden, 1, True, False, False, False
    )
