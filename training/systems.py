"""What can be evaluated: a model of the models folder, a checkpoint of a training, files enhanced elsewhere."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from inference.enhancer import Enhancer, enhance
from inference.networks import ARCHITECTURES
from inference.spectral import SAMPLING_RATE
from inference.store import Model, ModelInfo
from training.checkpoint import Checkpoint
from training.pairs import Signal, read_mono, recordings

System = Callable[[str, Signal], Signal]
"""Takes the key of a pair and noisy samples [n], gives enhanced samples [n]."""

BLOCK = 10 * SAMPLING_RATE  # samples


def unprocessed(_key: str, noisy: Signal) -> Signal:
    """The input itself: the line every other is compared with."""
    return noisy


def of_model(model: Model) -> System:
    """The whole pipeline of the product with that model."""

    def system(_key: str, noisy: Signal) -> Signal:
        enhancer = Enhancer(model, rate=SAMPLING_RATE, channels=1)
        blocks = (noisy[start : start + BLOCK, None] for start in range(0, len(noisy), BLOCK))
        return np.concatenate(list(enhance(blocks, enhancer)))[:, 0]

    return system


def of_checkpoint(file: Path, device: str = "cpu") -> Model:
    """The averaged weights of a training as a model."""
    checkpoint = Checkpoint.load(file)
    network = ARCHITECTURES[checkpoint.architecture].build(checkpoint.hyperparameters)
    network.load_state_dict(checkpoint.averaged)
    network.requires_grad_(False)
    info = ModelInfo(
        key=file.parent.name,
        name=str(file),
        architecture=checkpoint.architecture,
        hyperparameters=checkpoint.hyperparameters,
        sampling_rate=SAMPLING_RATE,
        weights=None,
        sha256=None,
        version=f"step-{checkpoint.step}",
    )
    return Model(info, network.eval().to(device))


def of_folder(folder: Path) -> System:
    """Files enhanced already, named like the pairs; too short ones are padded with zeros, too long ones are cut."""
    files = recordings(folder)

    def system(key: str, noisy: Signal) -> Signal:
        if key not in files:
            raise FileNotFoundError(f"no recording {key!r} in {folder}")
        samples = read_mono(files[key])[: len(noisy)]
        return np.pad(samples, (0, len(noisy) - len(samples)))

    return system
