"""The models folder: what is pinned is loaded, and every way of being wrong is named."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from inference.errors import StoreError, UnknownModel
from inference.networks import ARCHITECTURES
from inference.store import load_store

HYPERPARAMETERS = {"hidden": [16], "latent": 8}
ENTRY: dict[str, Any] = {
    "name": "Small autoencoder",
    "architecture": "dae",
    "hyperparameters": HYPERPARAMETERS,
    "sampling_rate": 16000,
    "weights": "small.safetensors",
    "version": "1.2.3",
    "labels": ["production"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = ARCHITECTURES["dae"].build(HYPERPARAMETERS)
    save_file(network.state_dict(), tmp_path / "small.safetensors")
    write(tmp_path, {"small": entry(tmp_path)})
    return tmp_path


def entry(folder: Path, **changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256((folder / "small.safetensors").read_bytes()).hexdigest()
    return {**ENTRY, "sha256": digest, **changes}


def write(folder: Path, entries: Any) -> None:
    (folder / "hyperparams.json").write_text(json.dumps(entries))


def test_loads_by_key_and_by_label(folder: Path) -> None:
    store = load_store(folder)
    model = store.resolve("small")
    assert model is store.resolve("production")
    assert model.info.version == "1.2.3"
    assert model.parameters == sum(p.numel() for p in ARCHITECTURES["dae"].build(HYPERPARAMETERS).parameters())
    assert not model.network.training
    store.warm_up()


def test_unknown_model_names_the_known(folder: Path) -> None:
    with pytest.raises(UnknownModel) as caught:
        load_store(folder).resolve("large")
    assert caught.value.known == ("small",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"sha256": None}, "go together"),
        ({"weights": "absent.safetensors"}, "No such file"),
        ({"architecture": "transformer"}, "unknown architecture"),
        ({"hyperparameters": {"width": 3}}, "width"),
        ({"hyperparameters": {"hidden": [32], "latent": 8}}, "do not fit"),
        ({"sampling_rate": 8000}, "sampling_rate"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_wrong_entries_stop_the_loading(folder: Path, changes: dict[str, Any], message: str) -> None:
    write(folder, {"small": entry(folder, **changes)})
    with pytest.raises(StoreError, match=message):
        load_store(folder)


def test_missing_field_is_named(folder: Path) -> None:
    incomplete = entry(folder)
    del incomplete["version"]
    write(folder, {"small": incomplete})
    with pytest.raises(StoreError, match="version"):
        load_store(folder)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not JSON"), ("[]", "object"), ("{}", "at least one"), ('{"a": 1}', "object")]
)
def test_wrong_index_stops_the_loading(folder: Path, text: str, message: str) -> None:
    (folder / "hyperparams.json").write_text(text)
    with pytest.raises(StoreError, match=message):
        load_store(folder)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        load_store(tmp_path / "absent")


def test_damaged_weights_are_refused(folder: Path) -> None:
    (folder / "small.safetensors").write_bytes(b"not weights")
    write(folder, {"small": entry(folder)})
    with pytest.raises(StoreError, match="not a safetensors file"):
        load_store(folder)


def test_one_label_cannot_have_two_models(folder: Path) -> None:
    write(folder, {"small": entry(folder), "twin": entry(folder)})
    with pytest.raises(StoreError, match="production"):
        load_store(folder)


def test_unusable_weights_fail_the_warm_up(folder: Path) -> None:
    store = load_store(folder)
    for parameter in store.resolve("small").network.parameters():
        parameter.fill_(torch.nan)
    with pytest.raises(RuntimeError, match="small"):
        store.warm_up()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_device_is_named(folder: Path) -> None:
    with pytest.raises(StoreError, match="CUDA"):
        load_store(folder).to("cuda")


def test_moving_keeps_the_models(folder: Path) -> None:
    store = load_store(folder)
    store.to("cpu")
    store.warm_up()
