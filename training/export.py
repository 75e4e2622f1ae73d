"""Put a trained network into the models folder: `python -m training.export --help`.

Three things are written: KEY.safetensors (the averaged weights), KEY.example.safetensors (an input and what the network
makes of it, so that a change of features or network that alters the answer fails a test), and KEY's entry in
hyperparams.json. An entry that exists keeps what the command line does not name.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from inference.networks import ARCHITECTURES
from inference.spectral import SAMPLING_RATE
from inference.store import INDEX
from training.checkpoint import Checkpoint
from training.forward import estimate

EXAMPLE_SECONDS = 1.5
EXAMPLE_SEED = 7
LABEL_HELP = "label to point at this model; it is taken away from the others; repeatable"


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    checkpoint = Checkpoint.load(options.checkpoint)
    if options.half:
        checkpoint.averaged = {name: tensor.half() for name, tensor in checkpoint.averaged.items()}
    network = averaged_network(checkpoint)
    weights_file = options.models / f"{options.key}.safetensors"
    digest = write_tensors(weights_file, checkpoint.averaged)
    write_tensors(options.models / f"{options.key}.example.safetensors", example(network))
    index = options.models / INDEX
    entries = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    fresh: dict[str, Any] = {
        "architecture": checkpoint.architecture,
        "hyperparameters": checkpoint.hyperparameters,
        "sampling_rate": SAMPLING_RATE,
        "weights": weights_file.name,
        "sha256": digest,
        "version": options.version,
        "training": training_record(checkpoint, options.note),
        "quality": quality(options.quality, options.system) if options.quality else {},
    }
    entries = updated(entries, options.key, options.name, fresh, options.label)
    partial = index.with_suffix(".partial")
    partial.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    partial.replace(index)
    print(f"{weights_file}: step {checkpoint.step}, SHA-256 {digest}")


def parser() -> argparse.ArgumentParser:
    """All options."""
    p = argparse.ArgumentParser(prog="python -m training.export", description=(__doc__ or "").split(":")[0] + ".")
    p.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="best.pt or last.pt of a run")
    p.add_argument("--key", required=True, help="what clients call the model")
    p.add_argument("--name", help="what people read (default: as it was, or the key)")
    p.add_argument("--version", required=True, help="for example 1.0.0")
    p.add_argument("--label", action="append", default=[], help=LABEL_HELP)
    p.add_argument("--note", default="", help="what it was trained on, and where that came from")
    p.add_argument("--quality", type=Path, metavar="FILE", help="JSON that training.evaluate wrote")
    p.add_argument("--system", help="whose figures to take from it (default: the last)")
    p.add_argument("--half", action="store_true", help="store the weights with 16 bits: half the file")
    p.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="default: models")
    return p


def averaged_network(checkpoint: Checkpoint) -> nn.Module:
    """The network with its averaged weights."""
    network = ARCHITECTURES[checkpoint.architecture].build(checkpoint.hyperparameters)
    network.load_state_dict(checkpoint.averaged)
    return network.eval()


def example_input() -> Tensor:
    """Samples [1, n] like speech in noise: harmonics that glide and pulse, and noise; repeatable."""
    generator = np.random.default_rng(EXAMPLE_SEED)
    seconds = np.arange(int(EXAMPLE_SECONDS * SAMPLING_RATE)) / SAMPLING_RATE
    pitch = 140 + 40 * np.sin(2 * np.pi * 0.7 * seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLING_RATE
    voice = sum(np.sin(order * phase) / order for order in range(1, 25)) * np.clip(
        np.sin(2 * np.pi * 2 * seconds), 0, 1
    )
    mixture = 0.05 * voice + 0.02 * generator.standard_normal(len(seconds))
    return torch.from_numpy(mixture.astype(np.float32))[None]


@torch.inference_mode()
def example(network: nn.Module) -> dict[str, Tensor]:
    """`input` [1, n] and `output` [1, n], the network's estimate."""
    samples = example_input()
    return {"input": samples, "output": estimate(network, samples)}


def write_tensors(file: Path, tensors: dict[str, Tensor]) -> str:
    """Write a safetensors file; its SHA-256."""
    data = save_safetensors({name: tensor.contiguous().cpu() for name, tensor in tensors.items()})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def training_record(checkpoint: Checkpoint, note: str) -> dict[str, Any]:
    """How the network was trained: what a reader of hyperparams.json wants to know, without folders of a machine."""
    kept = ("seed", "batch", "seconds", "rate", "precision", "min_speech_snr", "recipe")
    return {
        "data": note,
        "steps": checkpoint.step,
        "audio_hours": round(checkpoint.audio_seconds / 3600, 1),
        "minutes": round(checkpoint.elapsed / 60, 1),
        **{name: checkpoint.options[name] for name in kept if name in checkpoint.options},
    }


def quality(file: Path, system: str | None) -> dict[str, Any]:
    """Figures of one system from what `training.evaluate` wrote, without the single clips."""
    report = json.loads(file.read_text(encoding="utf-8"))
    figures = report[system or list(report)[-1]]
    return {name: value for name, value in figures.items() if name != "clips"}


def updated(
    entries: dict[str, Any], key: str, name: str | None, fresh: dict[str, Any], labels: list[str]
) -> dict[str, Any]:
    """hyperparams.json with the new entry of `key`; `labels` move to it."""
    old = entries.get(key, {})
    for entry in entries.values():
        entry["labels"] = [label for label in entry.get("labels", []) if label not in labels]
    kept_labels = [*old.get("labels", []), *labels]
    if not fresh["quality"] and old.get("sha256") == fresh["sha256"]:
        fresh["quality"] = old.get("quality", {})
    return {**entries, key: {"name": name or old.get("name", key), **fresh, "labels": kept_labels}}


if __name__ == "__main__":
    main()
