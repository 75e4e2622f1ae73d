"""The number format of the networks."""

import pytest
import torch

from inference.precision import PRECISIONS, data_type, native_bf16


def test_every_precision_has_a_type() -> None:
    assert {data_type(precision) for precision in PRECISIONS} <= {torch.float32, torch.bfloat16}
    assert data_type("auto") == (torch.bfloat16 if native_bf16() else torch.float32)


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="fp64"):
        data_type("fp64")
