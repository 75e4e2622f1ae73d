"""Training itself: learns, resumes exactly, stops when told to, keeps a log."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from training.checkpoint import Average, Checkpoint
from training.loader import Batch, Batches, batches_from
from training.plot import main as plot
from training.plot import read_log, smoothed
from training.schedule import Schedule
from training.train import build_trainer, main, parser, recipe, sources
from training.trainer import Trainer

TINY = ["--set", "hidden=8", "--set", "layers=1", "--set", "fine_bins=4", "--set", "taps=1", "--set", "lookahead=2"]


def command(material: Path, cache: Path, out: Path, *further: str) -> list[str]:
    data = ["--speech", f"{material}/speech", "--noise", f"{material}/noise", "--rir", f"{material}/rir"]
    small = ["--cache", str(cache), "--seconds", "0.5", "--batch", "3", "--simulated-rooms", "2", "--workers", "0"]
    return [*data, *small, *TINY, "--min-speech-snr", "0", "--log-every", "1", "--out", str(out), *further]


def trained(arguments: list[str], stop_at: int | None = None) -> Trainer:
    """The trainer of these arguments after its run, which is stopped after `stop_at` steps."""
    options = parser().parse_args(arguments)
    options.out.mkdir(exist_ok=True)
    torch.manual_seed(options.seed)
    trainer = build_trainer(options)
    if options.resume:
        trainer.resume(Checkpoint.load(options.out / "last.pt"))
    dataset = Batches(sources(options), recipe(options), options.batch, options.seed)

    def counted() -> Iterator[Batch]:
        for batch in batches_from(trainer.step, dataset, 0):
            trainer.stopping = stop_at is not None and trainer.step + 1 >= stop_at
            yield batch

    trainer.train(counted(), None)
    return trainer


def test_a_resumed_training_equals_an_uninterrupted_one(material: Path, cache: Path, tmp_path: Path) -> None:
    whole = trained(command(material, cache, tmp_path / "whole", "--steps", "6", "--warm-up", "2"))
    parts = command(material, cache, tmp_path / "parts", "--steps", "6", "--warm-up", "2")
    assert trained(parts, stop_at=3).step == 3
    resumed = trained([*parts, "--resume"])
    assert resumed.step == whole.step == 6
    assert resumed.audio_seconds == whole.audio_seconds == pytest.approx(6 * 3 * 0.5)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
        assert torch.equal(whole.average.weights[name], resumed.average.weights[name]), name


def test_a_checkpoint_of_another_network_is_refused(material: Path, cache: Path, tmp_path: Path) -> None:
    arguments = command(material, cache, tmp_path / "run", "--steps", "1")
    trained(arguments)
    with pytest.raises(ValueError, match="hidden"):
        trained([*arguments, "--set", "hidden=16", "--resume"])


def test_training_lowers_the_loss(material: Path, cache: Path, tmp_path: Path) -> None:
    further = ["--steps", "60", "--rate", "1e-2", "--warm-up", "5", "--recipe", "clean_share=0"]
    main(command(material, cache, tmp_path / "run", *further))
    losses = [entry["total"] for entry in read_log(tmp_path / "run" / "log.jsonl") if entry["kind"] == "train"]
    assert len(losses) == 60
    assert sum(losses[-15:]) < sum(losses[:15]) - 15 * 0.02


def test_validation_keeps_the_best_and_is_drawn(material: Path, cache: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    unseen = ["--valid-speech", f"{material}/speech", "--valid-noise", f"{material}/noise", "--validation-items", "10"]
    main(command(material, cache, run, "--steps", "12", "--validate-every", "0.001", *unseen, "--seconds", "1.0"))
    valid = [entry for entry in read_log(run / "log.jsonl") if entry["kind"] == "valid"]
    assert len(valid) >= 2
    assert Checkpoint.load(run / "best.pt").best == max(entry["pesq"] for entry in valid)
    plot([str(run), "--out", str(tmp_path / "curves.png")])
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_on_a_gpu_goes_on_elsewhere(material: Path, cache: Path, tmp_path: Path, precision: str) -> None:
    arguments = command(material, cache, tmp_path / "run", "--steps", "4", "--precision", precision)
    trained([*arguments, "--device", "cuda"], stop_at=2)
    assert trained([*arguments, "--device", "cpu", "--resume"]).step == 4


def test_sigterm_saves_and_ends_well(material: Path, cache: Path, tmp_path: Path) -> None:
    arguments = command(material, cache, tmp_path / "run", "--minutes", "5")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "training.train", *arguments], env=environment, text=True)
    log = tmp_path / "run" / "log.jsonl"
    deadline = time.monotonic() + 90
    while not (log.exists() and log.read_text().count("\n") >= 3) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert Checkpoint.load(tmp_path / "run" / "last.pt").step >= 3


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "LibriSpeech" in text
    assert all(option in text for option in ("--speech", "--noise", "--minutes", "--resume", "--precision"))


@pytest.mark.parametrize("further", [["--set", "colour=1"], ["--recipe", "colour=1"]])
def test_unknown_names_are_refused(material: Path, cache: Path, tmp_path: Path, further: list[str]) -> None:
    with pytest.raises(SystemExit, match="colour"):
        main(command(material, cache, tmp_path / "run", "--steps", "1", *further))


def test_schedule_by_steps_and_by_time() -> None:
    shape = {"peak": 1.0, "lowest": 0.1, "warm_up": 4}
    steps = Schedule(**shape, steps=100, seconds=None)  # type: ignore[arg-type]
    assert steps.learning_rate(0, 0) == pytest.approx(0.25)
    assert steps.learning_rate(50, 0) == pytest.approx(0.55)
    assert steps.learning_rate(100, 0) == pytest.approx(0.1)
    timed = Schedule(**shape, steps=None, seconds=60.0)  # type: ignore[arg-type]
    assert timed.learning_rate(50, 30.0) == pytest.approx(0.55)
    assert timed.progress(50, 90.0) == 1.0
    with pytest.raises(ValueError, match="not both"):
        Schedule(**shape, steps=1, seconds=1.0)  # type: ignore[arg-type]


def test_average_of_weights() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 0.0)
    average = Average(network, decay=0.9)
    torch.nn.init.constant_(network.weight, 1.0)
    average.update(network, step=0)  # young averages follow quickly: weight 0.1 for the past
    assert average.weights["weight"].item() == pytest.approx(0.9)
    average.update(network, step=10_000)
    assert average.weights["weight"].item() == pytest.approx(0.91)


def test_logs_with_repeated_steps_count_once(tmp_path: Path) -> None:
    lines = [{"kind": "train", "step": step, "total": total} for step, total in ((1, 5.0), (2, 4.0), (2, 3.0))]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [entry["total"] for entry in read_log(tmp_path / "log.jsonl")] == [5.0, 3.0]
    assert smoothed([1.0] * 10 + [3.0] * 10 + [9.0]) == [1.0, 3.0]
