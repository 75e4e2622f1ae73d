"""What export writes is what the service loads, and what the network gave once it still gives."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from inference.networks import ARCHITECTURES
from inference.store import load_store
from training.checkpoint import Average, Checkpoint
from training.export import main
from training.forward import estimate
from training.systems import of_checkpoint

ROOT = Path(__file__).resolve().parents[2]
TINY = {"hidden": 8, "layers": 1, "fine_bins": 4, "taps": 1, "lookahead": 2}
EXAMPLES = sorted((ROOT / "models").glob("*.example.safetensors"))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    network = ARCHITECTURES["recurrent"].build(TINY)
    optimizer = torch.optim.AdamW(network.parameters())
    content = Checkpoint(
        architecture="recurrent",
        hyperparameters=TINY,
        options={"seed": 3, "speech": ["somewhere"]},
        step=10,
        elapsed=60.0,
        audio_seconds=7200.0,
        network=network.state_dict(),
        averaged=Average(network, 0.9).weights,
        optimizer=optimizer.state_dict(),
        random_state=torch.get_rng_state(),
        best=1.5,
    )
    content.save(tmp_path / "last.pt")
    return tmp_path / "last.pt"


@pytest.mark.parametrize("half", [False, True])
def test_exported_models_load_and_answer_as_stored(checkpoint: Path, tmp_path: Path, half: bool) -> None:
    models = tmp_path / "models"
    arguments = [str(checkpoint), "--key", "tiny", "--version", "0.1.0", "--models", str(models), "--note", "made up"]
    main([*arguments, "--label", "production", *(["--half"] if half else [])])
    model = load_store(models).resolve("production")
    stored = load_file(models / "tiny.example.safetensors")
    answer = estimate(model.network, stored["input"])
    assert (answer - stored["output"]).abs().max() < 1e-5
    assert model.info.training == {"data": "made up", "steps": 10, "audio_hours": 2.0, "minutes": 1.0, "seed": 3}
    first = next(iter(load_file(models / "tiny.safetensors").values()))
    assert first.dtype == (torch.float16 if half else torch.float32)


def test_labels_move_and_figures_stay_with_their_weights(checkpoint: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    other = {"architecture": "lsa", "hyperparameters": {}, "sampling_rate": 16000, "weights": None, "sha256": None}
    index = models / "hyperparams.json"
    index.write_text(json.dumps({"lsa": {"name": "Classical", "version": "1", "labels": ["production"], **other}}))
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps({"unprocessed": {"mean": 1}, "tiny": {"mean": {"pesq": 2.0}, "clips": [1, 2]}}))
    arguments = [str(checkpoint), "--key", "tiny", "--models", str(models)]
    main([*arguments, "--version", "1", "--label", "production", "--name", "Tiny", "--quality", str(figures)])
    main([*arguments, "--version", "2"])
    entries = json.loads(index.read_text())
    assert entries["lsa"]["labels"] == []
    assert entries["tiny"]["labels"] == ["production"]
    assert (entries["tiny"]["name"], entries["tiny"]["version"]) == ("Tiny", "2")
    assert entries["tiny"]["quality"] == {"mean": {"pesq": 2.0}}


def test_a_checkpoint_is_a_model_with_the_averaged_weights(checkpoint: Path) -> None:
    model = of_checkpoint(checkpoint)
    stored = Checkpoint.load(checkpoint).averaged
    assert all(torch.equal(value, stored[name]) for name, value in model.network.state_dict().items())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_networks_do_not_drift(file: Path) -> None:
    stored = load_file(file)
    network = load_store(ROOT / "models").models[file.name.partition(".")[0]].network
    answer = estimate(network, stored["input"])
    assert (answer - stored["output"]).abs().max() < 1e-4
    assert (stored["output"] - stored["input"]).abs().max() > 1e-2  # the example shows the network at work
