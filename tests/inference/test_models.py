"""`python -m inference.models`: what is taken in, what is refused, and how the label moves."""

import json
import multiprocessing
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load, save

from inference.models.__main__ import main
from inference.models.index import editing
from inference.store import load_store
from tests.inference.model_packages import (
    as_folder,
    as_store,
    as_tar,
    changed_weights,
    package,
    with_weights,
)
from tests.servers import ROOT

GOOD, OLDER = package(), package("older", seed=2)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return as_store(tmp_path / "models", OLDER)


def run(models: Path, *arguments: str | Path) -> int:
    return main(["--models", str(models), *map(str, arguments)])


def state(models: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(models.rglob("*")) if path.is_file()}


def labels(models: Path) -> dict[str, list[str]]:
    return {key: list(model.info.labels) for key, model in load_store(models).models.items()}


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_a_package_is_taken_in_without_a_label(models: Path, tmp_path: Path, form: str) -> None:
    source = as_folder(GOOD, tmp_path / "p") if form == "folder" else as_tar(GOOD, tmp_path / "p.tar")
    assert run(models, "add", source) == 0
    assert labels(models) == {"older": ["production"], "newer": []}
    load_store(models).warm_up()
    assert (models / "newer.md").read_bytes() == GOOD["newer.md"]
    assert run(models, "verify") == 0
    assert not [path for path in models.iterdir() if path.name.startswith(".")]


def test_a_drift_reference_comes_along(models: Path, tmp_path: Path) -> None:
    files = {**GOOD, "newer.reference.json": reference("0.3.0")}
    assert run(models, "add", as_folder(files, tmp_path / "p")) == 0
    assert (models / "newer.reference.json").read_bytes() == files["newer.reference.json"]


def entry(**changes: Any) -> dict[str, bytes]:
    return package(**changes)


def without(name: str) -> dict[str, bytes]:
    return {other: content for other, content in GOOD.items() if other != name}


def reshaped() -> bytes:
    tensors = load(GOOD["newer.safetensors"])
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 2)
    return save({**tensors, name: tensors[name][:-1].contiguous()})


def example_of(**changes: Any) -> dict[str, bytes]:
    pair = load(GOOD["newer.example.safetensors"])
    return {**GOOD, "newer.example.safetensors": save({**pair, **changes})}


def reference(version: str) -> bytes:
    stored = json.loads((ROOT / "models" / "recurrent.reference.json").read_text())
    return json.dumps({**stored, "version": version}).encode()


EXAMPLE = load(GOOD["newer.example.safetensors"])
REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "no index": (without("hyperparams.json"), "has no hyperparams.json"),
    "no weights": (without("newer.safetensors"), "lacks newer.safetensors"),
    "no example": (without("newer.example.safetensors"), "lacks newer.example"),
    "no card": (without("newer.md"), "lacks newer.md"),
    "empty card": ({**GOOD, "newer.md": b" \n"}, "is empty"),
    "card in another code": ({**GOOD, "newer.md": b"\xff\xfe"}, "UTF-8"),
    "not JSON": ({**GOOD, "hyperparams.json": b"{"}, "not JSON"),
    "JSON without end": ({**GOOD, "hyperparams.json": b"[" * 100_000}, "not JSON"),
    "NaN in JSON": ({**GOOD, "hyperparams.json": b'{"newer": NaN}'}, "NaN"),
    "two models": ({**GOOD, "hyperparams.json": b'{"a": {}, "b": {}}'}, "one model"),
    "a list": ({**GOOD, "hyperparams.json": b"[]"}, "one model"),
    "path as key": (entry(key="newer") | {"hyperparams.json": b'{"../x": {}}'}, "cannot be the key"),
    "label as key": ({**GOOD, "hyperparams.json": b'{"production": {}}'}, "cannot be the key"),
    "key that hides an example": ({**GOOD, "hyperparams.json": b'{"older.example": {}}'}, "cannot be the key"),
    "weights elsewhere": (entry(weights="../older.safetensors"), "must be newer.safetensors"),
    "labels": (entry(labels=["production"]), "cannot give labels"),
    "unknown field": (entry(colour="blue"), "colour"),
    "unknown architecture": (entry(architecture="transformer"), "unknown architecture"),
    "version of no form": (entry(version="latest"), "unusable"),
    "name of two lines": (entry(name="a\nb"), "unusable"),
    "name of a wrong type": (entry(name=3), "wrong type"),
    "hyperparameters of a giant": (entry(hyperparameters={"hidden": [10**9], "latent": 8}), "hidden"),
    "hyperparameters without end": (entry(hyperparameters={"hidden": [1] * 1000, "latent": 8}), "hidden"),
    "negative sizes": (entry(hyperparameters={"hidden": [-4], "latent": 8}), "hyperparameters"),
    "hyperparameters of others": (entry(hyperparameters={"width": 3}), "width"),
    "wrong hash": (entry(sha256="0" * 64), "SHA-256"),
    "weights that are none": (with_weights(GOOD, "newer", b"x" * 100), "not a safetensors"),
    "weights of another shape": (with_weights(GOOD, "newer", reshaped()), "do not fit"),
    "a weight that is NaN": (changed_weights(GOOD, "newer", float("nan")), "finite"),
    "a weight that differs": (changed_weights(GOOD, "newer", 5.0), "does not answer its example"),
    "example of another length": (example_of(input=EXAMPLE["input"][:, :-8].contiguous()), "one shape"),
    "example with NaN": (example_of(output=EXAMPLE["output"] * float("nan")), "not finite"),
    "example with more": (example_of(other=EXAMPLE["input"].clone()), "must hold"),
    "reference that is none": ({**GOOD, "newer.reference.json": b"{}"}, "is no reference"),
    "reference without end": ({**GOOD, "newer.reference.json": b"[" * 100_000}, "not JSON"),
    "reference of another version": ({**GOOD, "newer.reference.json": reference("9.9.9")}, "is of version"),
    "a stranger's file": ({**GOOD, "older.safetensors": b"x"}, "does not belong"),
    "a hidden file": ({**without("newer.md"), ".profile": b"x"}, "no name"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_bad_packages_are_refused_and_change_nothing(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str
) -> None:
    files, reason = REFUSED[row]
    source = as_tar(files, tmp_path / "p.tar")
    before = state(models)
    assert run(models, "add", source) == 1
    said = capsys.readouterr().err
    assert reason in said
    assert said.count("\n") == 1
    assert state(models) == before


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, size
    return made


ODD = {
    "a path upwards": (member("../evil.safetensors"), "no name"),
    "an absolute path": (member("/tmp/evil.safetensors"), "no name"),
    "a folder": (member("sub", tarfile.DIRTYPE), "not a plain file"),
    "a symbolic link": (member("newer.md", tarfile.SYMTYPE, "/etc/passwd"), "not a plain file"),
    "a hard link": (member("newer.md", tarfile.LNKTYPE, "hyperparams.json"), "not a plain file"),
    "a device": (member("newer.md", tarfile.CHRTYPE), "not a plain file"),
    "a name twice": (member("newer.safetensors"), "one too many"),
    "a file that promises terabytes": (member("newer.md", size=2**42), "allowed are"),
}


@pytest.mark.parametrize("row", ODD)
def test_odd_members_of_a_tar_file_are_refused(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str
) -> None:
    odd, reason = ODD[row]
    source = as_tar(without("newer.md"), tmp_path / "p.tar", odd)
    before = state(models)
    assert run(models, "add", source) == 1
    assert reason in capsys.readouterr().err
    assert state(models) == before
    assert not (tmp_path / "evil.safetensors").exists()


def test_what_is_no_plain_tar_file_is_refused(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(5000))
    for source in (as_tar(GOOD, tmp_path / "p.tar.gz", mode="w:gz"), tmp_path / "noise", tmp_path / "absent"):
        assert run(models, "add", source) == 1
        assert source.name in capsys.readouterr().err


def test_links_in_a_folder_are_refused(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = as_folder(without("newer.md"), tmp_path / "p")
    (source / "newer.md").symlink_to("/etc/passwd")
    assert run(models, "add", source) == 1
    assert "not a plain file" in capsys.readouterr().err


def test_a_key_or_file_that_is_there_is_not_replaced(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(models)
    assert run(models, "add", as_folder(package("older", seed=3), tmp_path / "again")) == 1
    assert "already" in capsys.readouterr().err
    assert state(models) == before
    (models / "newer.md").write_text("somebody's")
    assert run(models, "add", as_folder(GOOD, tmp_path / "p")) == 1
    assert "already holds newer.md" in capsys.readouterr().err
    assert (models / "newer.md").read_text() == "somebody's"


def test_promotion_and_the_way_back(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(models, "promote", "--back") == 1
    assert "nothing was promoted" in capsys.readouterr().err
    run(models, "add", as_folder(GOOD, tmp_path / "p"))
    assert run(models, "promote", "newer") == 0
    assert labels(models) == {"older": ["previous"], "newer": ["production"]}
    assert run(models, "promote", "newer") == 0  # again: nothing changes
    assert labels(models) == {"older": ["previous"], "newer": ["production"]}
    assert run(models, "promote", "--back") == 0
    assert labels(models) == {"older": ["production"], "newer": ["previous"]}


@pytest.mark.parametrize("arguments", [[], ["newer", "--back"]])
def test_promote_wants_one_of_two(models: Path, arguments: list[str]) -> None:
    assert run(models, "promote", *arguments) == 2


def test_neither_unknown_nor_damaged_models_are_promoted(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(models, "add", as_folder(GOOD, tmp_path / "p"))
    before = state(models)
    assert run(models, "promote", "nobody") == 1
    assert "known are older, newer" in capsys.readouterr().err
    (models / "newer.safetensors").write_bytes(b"x")
    assert run(models, "promote", "newer") == 1
    assert "SHA-256" in capsys.readouterr().err
    assert state(models)["hyperparams.json"] == before["hyperparams.json"]


def test_verify_names_what_is_damaged(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(models, "add", as_folder(GOOD, tmp_path / "p"))
    (models / "newer.example.safetensors").unlink()
    capsys.readouterr()
    assert run(models, "verify") == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "older: intact"
    assert said[1].startswith("newer: cannot read the example")
    assert run(models, "verify", "older") == 0
    assert run(models, "verify", "nobody") == 1


def test_the_table(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(models, "list") == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["KEY", "VERSION", "ARCHITECTURE", "PARAMETERS", "LABELS", "PESQ", "VERIFIED"]
    count = load_store(models).models["older"].parameters
    assert line.split() == ["older", "0.3.0", "dae", f"{count:,}", "production", "1.50", "yes"]


def add_training_note(models: Path, times: int) -> None:
    for _ in range(times):
        with editing(models) as entries:
            entries["older"]["training"] = {"count": entries["older"].get("training", {}).get("count", 0) + 1}


def test_nobody_overwrites_what_another_one_writes(models: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=add_training_note, args=(models, 6)) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        json.loads((models / "hyperparams.json").read_text())  # whole at any moment
    for writer in writers:
        writer.join()
    assert json.loads((models / "hyperparams.json").read_text())["older"]["training"] == {"count": 18}


def test_an_error_leaves_the_index_alone(models: Path) -> None:
    before = state(models)
    with pytest.raises(KeyError), editing(models) as entries:
        del entries["older"]["labels"], entries["nobody"]
    assert state(models) == before
