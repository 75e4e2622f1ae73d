"""How a model package gets into the models folder.

Every number of it is checked before it is used, and the network has to reproduce its example before the models folder
is touched. Nothing in a package is executed: weights are plain arrays, the architecture is one of `inference.networks`.
"""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from inference.drift import reference_file
from inference.errors import StoreError
from inference.models.check import example_name, fault
from inference.models.index import editing, settle
from inference.models.package import Files, read
from inference.networks import ARCHITECTURES
from inference.store import INDEX, ModelInfo, parse_entry

KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+([.+-][A-Za-z0-9.+-]{1,40})?")
RESERVED = ("production", "previous", "data")  # the labels that mean something, and a document of the models folder
LARGEST_NUMBER = 16384  # of a hyperparameter
LONGEST_LIST = 16
FLOATS = (torch.float32, torch.float16, torch.bfloat16)


def add(package: Path, folder: Path) -> ModelInfo:
    """Puts the model of `package` into the models folder, without a label; raises `StoreError` with the reason.

    An error leaves `folder` as it was.
    """
    files = read(package)
    info, entry = _entry(files)
    _check_files(files, info)
    if info.weights is not None:
        _check_weights(files[info.weights], info)
    try:
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=folder) as staged:
            _stage(files, Path(staged))
            if reason := fault(Path(staged), info):
                raise StoreError(reason)
            _move_in(Path(staged), folder, info, entry)
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}") from error
    return info


def _entry(files: Files) -> tuple[ModelInfo, dict[str, Any]]:
    """The one entry of the package, with every value checked that `parse_entry` takes on trust."""
    entries = _json(files.get(INDEX), INDEX)
    if not isinstance(entries, dict) or len(entries) != 1:
        raise StoreError(f"{INDEX} of a package must be an object with one model")
    ((key, entry),) = entries.items()
    if not KEY.fullmatch(key) or key in RESERVED or key.endswith(".example"):
        raise StoreError(f"{key!r} cannot be the key of a model: small letters, digits, dots, dashes; no label's name")
    if not isinstance(entry, dict):
        raise StoreError(f"model {key!r}: the entry must be an object")
    kinds = {"name": str, "version": str, "architecture": str, "hyperparameters": dict, "sampling_rate": int}
    kinds |= {"training": dict, "quality": dict, "labels": list}
    if wrong := sorted(name for name, kind in kinds.items() if name in entry and not isinstance(entry[name], kind)):
        raise StoreError(f"model {key!r}: of the wrong type: {', '.join(wrong)}")
    info = parse_entry(key, entry)
    if info.labels:
        raise StoreError(f"model {key!r}: a package cannot give labels; promote the model once it is there")
    if not VERSION.fullmatch(info.version) or not 0 < len(info.name) <= 200 or not info.name.isprintable():
        raise StoreError(f"model {key!r}: name or version is unusable: {info.name[:200]!r}, {info.version[:40]!r}")
    if wrong := sorted(name for name, value in info.hyperparameters.items() if not _is_modest(value)):
        raise StoreError(f"model {key!r}: unusable hyperparameters: {', '.join(wrong)}")
    if info.weights not in (None, f"{key}.safetensors"):
        raise StoreError(f"model {key!r}: the weights must be {key}.safetensors, not {info.weights!r}")
    return info, {**entry, "labels": []}


def _json(content: bytes | None, name: str) -> Any:
    if content is None:
        raise StoreError(f"the package has no {name}")

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{name} of the package is not JSON: {error}") from error


def _is_modest(value: Any) -> bool:
    """A number that no memory or time could be lost on before the weights are compared, or a short list of such."""
    if isinstance(value, list):
        return len(value) <= LONGEST_LIST and all(_is_modest(item) and not isinstance(item, list) for item in value)
    return isinstance(value, bool) or (isinstance(value, int | float) and abs(value) <= LARGEST_NUMBER)


def _check_files(files: Files, info: ModelInfo) -> None:
    card = f"{info.key}.md"
    wanted = {INDEX, card} | ({f"{info.key}.safetensors", example_name(info.key)} if info.weights else set())
    if missing := sorted(wanted - set(files)):
        raise StoreError(f"model {info.key!r}: the package lacks {', '.join(missing)}")
    reference = reference_file(Path(), info.key).name
    if reference in files:
        _json(files[reference], reference)
    if extra := sorted(set(files) - wanted - {reference}):
        raise StoreError(f"model {info.key!r}: the package holds what does not belong to it: {', '.join(extra)}")
    try:
        text = files[card].decode("utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(f"{card} is not UTF-8: {error}") from error
    if not text.strip():
        raise StoreError(f"{card}, the model card, is empty")


def _check_weights(data: bytes, info: ModelInfo) -> None:
    """Shapes against the architecture before any memory is taken for it; types and values."""
    try:
        with torch.device("meta"):
            expected = ARCHITECTURES[info.architecture].build(info.hyperparameters).state_dict()
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise StoreError(f"model {info.key!r}: hyperparameters: {error}") from error
    try:
        tensors = load_safetensors(data)
    except SafetensorError as error:
        raise StoreError(f"{info.weights} is not a safetensors file: {error}") from error
    if {name: t.shape for name, t in tensors.items()} != {name: t.shape for name, t in expected.items()}:
        raise StoreError(f"model {info.key!r}: the weights do not fit the architecture")
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS or not torch.isfinite(tensor).all():
            raise StoreError(f"model {info.key!r}: {name} holds values that are no finite floating-point numbers")


def _stage(files: Files, staged: Path) -> None:
    for name, content in files.items():
        with (staged / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _move_in(staged: Path, folder: Path, info: ModelInfo, entry: dict[str, Any]) -> None:
    """First the files, then the entry: whoever reads the index finds what it names."""
    names = sorted(path.name for path in staged.iterdir() if path.name != INDEX)
    moved: list[Path] = []
    with editing(folder) as entries:
        if info.key in entries:
            raise StoreError(f"there is a model {info.key!r} already; a new version gets a key of its own")
        if taken := [name for name in names if (folder / name).exists()]:
            raise StoreError(f"{folder} already holds {', '.join(taken)}, which belongs to no model of that key")
        try:
            for name in names:
                shutil.move(staged / name, folder / name)
                moved.append(folder / name)
            settle(folder)
        except OSError:
            for path in moved:
                path.unlink(missing_ok=True)
            raise
        entries[info.key] = entry
