"""The models folder: `hyperparams.json` pins every model, `KEY.safetensors` holds its weights.

A model's entry says its display name, architecture and hyperparameters, sampling rate, weights file with SHA-256,
version, labels, how it was trained and what quality was measured. Nothing is believed: a wrong hash, a missing file,
an unknown architecture or field stops the loading with a `StoreError` that names it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from inference.batches import Batches
from inference.errors import StoreError, UnknownModel
from inference.networks import ARCHITECTURES, Network
from inference.networks.packed import pack
from inference.precision import data_type
from inference.spectral import BINS, SAMPLING_RATE

INDEX = "hyperparams.json"
DEFAULT_LABEL = "production"
WARM_UP_FRAMES = 64


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """One entry of hyperparams.json."""

    key: str
    name: str  # for people
    architecture: str  # a key of inference.networks.ARCHITECTURES
    hyperparameters: dict[str, Any]
    sampling_rate: int  # Hz
    weights: str | None  # file beside hyperparams.json; none for an architecture without weights
    sha256: str | None  # of the weights file
    version: str
    labels: tuple[str, ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A loaded network, ready for inference, and what is known about it."""

    info: ModelInfo
    network: nn.Module
    batches: Batches | None = None  # where passes of several recordings meet; None: each is made by itself

    def forward(self, spectra: Tensor, state: Any, *, last: bool) -> tuple[Tensor, Any]:
        """A forward pass of the network; with `last` the stream ends and the state that comes back is of no use."""
        if self.batches is None:
            answer: tuple[Tensor, Any] = self.network(spectra, state)
            return answer
        return self.batches(spectra, state, last=last)

    @property
    def parameters(self) -> int:
        """How many trained numbers the network has."""
        return sum(p.numel() for p in self.network.parameters())


class ModelStore:
    """The loaded models by key and by label."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self.models = dict(models)
        self._by_label: dict[str, Model] = {}
        for model in models.values():
            for label in model.info.labels:
                if label in self.models or label in self._by_label:
                    raise StoreError(f"label {label!r} of model {model.info.key!r} is taken already")
                self._by_label[label] = model

    def resolve(self, name: str) -> Model:
        """The model with that key or label; raises `UnknownModel`."""
        model = self.models.get(name) or self._by_label.get(name)
        if model is None:
            raise UnknownModel(name, tuple(self.models))
        return model

    def in_batches(self, allowed: Callable[[], int], most: int) -> "ModelStore":
        """The same models, with the passes of up to `most` streams of a process made as one; see `Batches`."""
        return ModelStore(
            {
                key: replace(model, batches=Batches(cast(Network, model.network), allowed, most))
                for key, model in self.models.items()
            }
        )

    def take_over(self, other: "ModelStore") -> None:
        """Gives the models of `other` from now on. Whoever has a `Model` keeps it as it was."""
        self.models, self._by_label = other.models, other._by_label

    def to(self, device: str) -> None:
        """Moves every network to "cpu" or "cuda", in place; raises `StoreError` where there is no such device.

        In a server this is for the workers: a CUDA context does not survive a fork.
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise StoreError("the device is to be cuda, and there is no CUDA device")
        for model in self.models.values():
            model.network.to(device)

    def warm_up(self) -> None:
        """Runs every network once, so that the first request does not pay for lazy initialisation."""
        for model in self.models.values():
            warm_up(model)


@torch.inference_mode()
def warm_up(model: Model) -> None:
    """One real forward pass over about a second of a faint tone; raises RuntimeError on an unusable answer."""
    device = next(model.network.parameters(), torch.empty(0)).device
    spectra = torch.full((1, WARM_UP_FRAMES, BINS), 0.1, dtype=torch.complex64, device=device)
    estimate, _ = model.network(spectra, model.network.initial_state(1))  # type: ignore[operator]
    if not torch.isfinite(torch.view_as_real(estimate)).all():
        raise RuntimeError(f"model {model.info.key!r} answers with values that are not finite")


def load_store(directory: Path, precision: str = "fp32") -> ModelStore:
    """All models of `directory`, in eval mode on the CPU, in one of `precision.PRECISIONS`; raises `StoreError`."""
    dtype = data_type(precision)
    infos = [parse_entry(key, entry) for key, entry in read_entries(directory).items()]
    return ModelStore({info.key: load_model(directory, info, dtype) for info in infos})


def read_entries(directory: Path) -> dict[str, Any]:
    """hyperparams.json of `directory` as it is written; raises `StoreError`."""
    index = directory / INDEX
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"cannot read {index}: {error.strerror}") from error
    except ValueError as error:
        raise StoreError(f"{index} is not JSON: {error}") from error
    if not isinstance(entries, dict) or not entries:
        raise StoreError(f"{index} must be an object with at least one model")
    return entries


def parse_entry(key: str, entry: Any) -> ModelInfo:
    """One entry of hyperparams.json as a `ModelInfo`; raises `StoreError` naming what is wrong."""
    known = {f.name for f in fields(ModelInfo)} - {"key"}
    if not isinstance(entry, dict):
        raise StoreError(f"model {key!r}: the entry must be an object")
    if unknown := sorted(set(entry) - known):
        raise StoreError(f"model {key!r}: unknown fields {unknown}")
    try:
        info = ModelInfo(key=key, **{**entry, "labels": tuple(entry.get("labels", ()))})
    except TypeError as error:
        raise StoreError(f"model {key!r}: {error}") from error
    if info.architecture not in ARCHITECTURES:
        raise StoreError(f"model {key!r}: unknown architecture {info.architecture!r}; known: {sorted(ARCHITECTURES)}")
    if info.sampling_rate != SAMPLING_RATE:
        raise StoreError(f"model {key!r}: sampling_rate must be {SAMPLING_RATE} Hz, got {info.sampling_rate!r}")
    if (info.weights is None) != (info.sha256 is None):
        raise StoreError(f"model {key!r}: weights and sha256 go together")
    return info


def load_model(directory: Path, info: ModelInfo, dtype: torch.dtype) -> Model:
    """One model of `directory`, in eval mode on the CPU; raises `StoreError`."""
    try:
        network = ARCHITECTURES[info.architecture].build(info.hyperparameters)
    except (TypeError, ValueError) as error:
        raise StoreError(f"model {info.key!r}: hyperparameters: {error}") from error
    try:
        network.load_state_dict(load_weights(directory, info))
    except RuntimeError as error:
        raise StoreError(f"model {info.key!r}: the weights do not fit the architecture: {error}") from error
    network.requires_grad_(False)
    network.eval().to(dtype)
    pack(network)
    return Model(info, network)


def load_weights(directory: Path, info: ModelInfo) -> dict[str, torch.Tensor]:
    """The weights of one model of `directory` as they are stored, none for one without; raises `StoreError`."""
    if info.weights is None:
        return {}
    path = directory / info.weights
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(f"model {info.key!r}: cannot read {path}: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != info.sha256:
        raise StoreError(f"model {info.key!r}: {path} has SHA-256 {found}, {INDEX} pins {info.sha256}")
    try:
        return load_safetensors(data)
    except SafetensorError as error:
        raise StoreError(f"model {info.key!r}: {path} is not a safetensors file: {error}") from error
