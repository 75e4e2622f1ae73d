"""What recordings a model was made for: `python -m training.reference --help` writes models/KEY.reference.json.

Mixtures are made as in the training, with the same material and recipe; each is enhanced by the model, through the
product's own pipeline, and its features (inference/quality.py) are counted in the bins of inference/drift.py. The
server compares what it is sent with them.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from inference.drift import FEATURES, make_reference, reference_file
from inference.enhancer import Enhancer, enhance
from inference.precision import PRECISIONS
from inference.quality import QualityMeter
from inference.samples import Samples
from inference.spectral import SAMPLING_RATE
from inference.store import Model, load_store
from training.mixtures import Mixer
from training.train import add_material, recipe, sources

FULL_SCALE = np.float32(32767 / 32768)  # what a recording with 16 bits can hold


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    torch.set_num_threads(1)
    model = load_store(options.models, precision=options.precision).resolve(options.model)
    mixer = sources(options).mixer(recipe(options), options.seed)
    measured = list(tqdm(features(model, mixer, options.mixtures), total=options.mixtures, unit="mixture"))
    compared = [name for name, feature in FEATURES.items() if feature.compared]
    made_from = f"{options.mixtures} mixtures of {options.seconds:g} s, seed {options.seed}: {options.note}"
    stored = make_reference(model.info.version, made_from, measured, compared)
    file = reference_file(options.models, model.info.key)
    file.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    print(f"{file}: {len(measured)} mixtures")


def parser() -> argparse.ArgumentParser:
    """All options."""
    p = argparse.ArgumentParser(prog="python -m training.reference", description=(__doc__ or "").split(":")[0] + ".")
    p.add_argument("model", metavar="MODEL", help="key or label")
    p.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="default: models")
    p.add_argument("--mixtures", type=int, default=3000, help="how many (default: %(default)s)")
    p.add_argument("--seed", type=int, default=101, help="another one than that of the training (default: %(default)s)")
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help="of the network (default: %(default)s)")
    p.add_argument(
        "--note", default="the recipe of the training", help="what to write into the file about the material"
    )
    add_material(p.add_argument_group("material, as for training.train"))
    return p


def features(model: Model, mixer: Mixer, mixtures: int) -> Iterator[dict[str, float]]:
    """Of each mixture, as if it had been posted."""
    for index in range(mixtures):
        noisy = mixer.batch(index, 1).noisy[0]
        recording = np.clip(noisy, -1.0, FULL_SCALE)[:, None]
        yield measured(model, recording)


def measured(model: Model, recording: Samples) -> dict[str, float]:
    """Features of float32 [n, 1] at SAMPLING_RATE and of its enhanced version."""
    meter = QualityMeter(SAMPLING_RATE, 1, SAMPLING_RATE)
    meter.hear(recording)
    for block in enhance([recording], Enhancer(model, rate=SAMPLING_RATE, channels=1)):
        meter.answer(block)
    return meter.features()


if __name__ == "__main__":
    main()
