"""Small models and packages of them, made on the spot."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from inference.enhancer import Enhancer, enhance
from inference.networks import ARCHITECTURES
from inference.store import Model, ModelInfo

HYPERPARAMETERS = {"hidden": [16], "latent": 8}


def package(key: str = "newer", seed: int = 1, **changes: Any) -> dict[str, bytes]:
    """The files of a good package of a tiny autoencoder; `changes` go into its entry."""
    torch.manual_seed(seed)
    network = ARCHITECTURES["dae"].build(HYPERPARAMETERS).eval()
    weights = save(network.state_dict())
    entry: dict[str, Any] = {
        "name": "A tiny one",
        "architecture": "dae",
        "hyperparameters": HYPERPARAMETERS,
        "sampling_rate": 16000,
        "weights": f"{key}.safetensors",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "version": "0.3.0",
        "labels": [],
        "quality": {"mean": {"pesq": 1.5}},
    }
    noisy = np.random.default_rng(seed).normal(0.0, 0.1, (8000, 1)).astype(np.float32)
    model = Model(ModelInfo(key=key, **{**entry, "labels": ()}), network)
    answer = np.concatenate(list(enhance([noisy], Enhancer(model, rate=16000, channels=1))))
    pair = {"input": torch.from_numpy(noisy.T.copy()), "output": torch.from_numpy(answer.T.copy())}
    return {
        "hyperparams.json": json.dumps({key: {**entry, **changes}}).encode(),
        f"{key}.safetensors": weights,
        f"{key}.example.safetensors": save(pair),
        f"{key}.md": b"# A tiny model\n",
    }


def with_weights(files: dict[str, bytes], key: str, weights: bytes) -> dict[str, bytes]:
    """The package with other weights and their hash."""
    entries = json.loads(files["hyperparams.json"])
    entries[key]["sha256"] = hashlib.sha256(weights).hexdigest()
    return {**files, f"{key}.safetensors": weights, "hyperparams.json": json.dumps(entries).encode()}


def changed_weights(files: dict[str, bytes], key: str, value: float) -> dict[str, bytes]:
    """The package with one weight set to `value`, and the hash that fits."""
    tensors = load(files[f"{key}.safetensors"])
    next(iter(tensors.values())).view(-1)[0] = value
    return with_weights(files, key, save(tensors))


def as_folder(files: dict[str, bytes], folder: Path) -> Path:
    """The package as a folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def as_tar(files: dict[str, bytes], path: Path, *odd: tarfile.TarInfo, mode: str = "w:") -> Path:
    """The package as a tar file, with `odd` members behind it."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in odd:
            archive.addfile(member)
    return path


def as_store(folder: Path, *packages: dict[str, bytes], label: str = "") -> Path:
    """A models folder of packages; the first has the label `production`, or `label`."""
    folder.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Any] = {}
    for files in packages:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        entries |= json.loads(files["hyperparams.json"])
    next(iter(entries.values()))["labels"] = [label or "production"]
    (folder / "hyperparams.json").write_text(json.dumps(entries, indent=2) + "\n")
    return folder
