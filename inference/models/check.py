"""Whether a model is what its entry says: weights with the pinned hash, and the stored example answered as it was.

The example is a pair of recordings that training.export stored with the weights: an input, and what the network made of
it in float32. Processors round differently, so the answer has to agree to `AGREEMENT_DB`, not to the bit.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from inference.drift import load_reference, reference_file
from inference.enhancer import Enhancer, enhance
from inference.errors import HushError, StoreError
from inference.samples import Samples
from inference.spectral import SAMPLING_RATE, WINDOW
from inference.store import Model, ModelInfo, load_model

AGREEMENT_DB = 60.0  # energy of the stored answer above that of its difference to the answer of now
LONGEST_EXAMPLE = 30 * SAMPLING_RATE  # samples


def example_name(key: str) -> str:
    """File of the example of a model."""
    return f"{key}.example.safetensors"


def fault(folder: Path, info: ModelInfo) -> str | None:
    """Why the model cannot be trusted, as a sentence, or None; a model without weights has no example to answer."""
    try:
        model = load_model(folder, info, torch.float32)
        if info.weights is not None:
            check_example(model, folder / example_name(info.key))
        check_reference(folder, info)
    except StoreError as error:
        return str(error)
    return None


def check_reference(folder: Path, info: ModelInfo) -> None:
    """Raises `StoreError` where there is a drift reference that cannot be read or belongs to another version."""
    file = reference_file(folder, info.key)
    if file.exists() and (version := load_reference(file).version) != info.version:
        raise StoreError(f"{file} is of version {version!r}, model {info.key!r} is {info.version!r}")


def check_example(model: Model, path: Path) -> None:
    """Raises `StoreError` where the example is missing, damaged, or answered differently."""
    noisy, stored = read_example(path)
    try:
        answer = np.concatenate(list(enhance([noisy], Enhancer(model, rate=SAMPLING_RATE, channels=1))))
    except (HushError, RuntimeError, ValueError, IndexError) as error:  # what a network of wrong dimensions may raise
        raise StoreError(f"model {model.info.key!r} fails on its example: {error}") from error
    agreement = agreement_db(stored, answer)
    if not agreement >= AGREEMENT_DB:  # also for NaN
        raise StoreError(
            f"model {model.info.key!r} does not answer its example as stored: the difference is {agreement:.0f} dB "
            f"below the answer, {AGREEMENT_DB:.0f} dB are asked for"
        )


def read_example(path: Path) -> tuple[Samples, Samples]:
    """Input and output, float32 [n, 1] each; raises `StoreError`."""
    try:
        tensors = load_safetensors(path.read_bytes())
    except OSError as error:
        raise StoreError(f"cannot read the example {path}: {error.strerror}") from error
    except SafetensorError as error:
        raise StoreError(f"{path} is not a safetensors file: {error}") from error
    if set(tensors) != {"input", "output"}:
        raise StoreError(f"{path} must hold input and output, it holds {sorted(tensors)}")
    pair = tensors["input"], tensors["output"]
    shapes = {tuple(tensor.shape) for tensor in pair}
    if len(shapes) != 1 or not all(tensor.dtype == torch.float32 and tensor.ndim == 2 for tensor in pair):
        raise StoreError(f"{path}: input and output must be float32 of one shape [1, n], got {sorted(shapes)}")
    (shape,) = shapes
    if shape[0] != 1 or not WINDOW <= shape[1] <= LONGEST_EXAMPLE:
        raise StoreError(f"{path}: the shape must be [1, {WINDOW} to {LONGEST_EXAMPLE}], got {list(shape)}")
    if not all(torch.isfinite(tensor).all() for tensor in pair):
        raise StoreError(f"{path} holds values that are not finite")
    noisy, answer = (tensor.numpy().T for tensor in pair)
    return noisy, answer


def agreement_db(stored: Samples, answer: Samples) -> float:
    """Energy of `stored` above that of its difference to `answer`, in dB; infinite where they are equal."""
    difference = float(np.square((stored - answer).astype(np.float64)).sum())
    energy = float(np.square(stored.astype(np.float64)).sum())
    if difference == 0.0:
        return float("inf")
    return float(10.0 * np.log10(max(energy, 1e-30) / difference))
