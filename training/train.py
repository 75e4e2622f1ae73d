"""Train a network on folders of speech and noise: `python -m training.train --help`."""

import argparse
import dataclasses
import json
import signal
from pathlib import Path
from typing import Any

import torch

from inference.networks import ARCHITECTURES
from training.checkpoint import Checkpoint
from training.loader import Batches, Sources, batches_from
from training.losses import LossWeights
from training.mixtures import Pair, Recipe
from training.schedule import Schedule
from training.start import origin, starting_weights
from training.trainer import Trainer, TrainerOptions
from training.validation import validation_set

EXAMPLE = """
example, with LibriSpeech and DEMAND unpacked in two folders (any layout, format and rate will do):

  python -m training.train --architecture recurrent --set hidden=256 --minutes 240 \\
      --speech LibriSpeech/train-clean-100 --noise DEMAND/train \\
      --valid-speech LibriSpeech/dev-clean --valid-noise DEMAND/valid --out runs/first

Ctrl-C or SIGTERM saves and stops; --resume continues from OUT/last.pt as if nothing had happened.
With two processors, OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE leaves one of them to the worker that mixes.
"""


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.set_flush_denormal(True)
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = build_trainer(options)
    if options.resume:
        trainer.resume(Checkpoint.load(options.out / "last.pt"))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(trainer, "stopping", True))
    dataset = Batches(sources(options), recipe(options), options.batch, options.seed)
    validation = validation_pairs(options)
    parameters = sum(p.numel() for p in trainer.network.parameters())
    print(f"{options.architecture} {trainer.hyperparameters}: {parameters:,} parameters on {trainer.options.device}")
    batches = batches_from(trainer.step, dataset, options.workers, pinned=trainer.options.device == "cuda")
    trainer.train(batches, validation)


def parser() -> argparse.ArgumentParser:
    """All options."""
    p = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__, epilog=EXAMPLE, formatter_class=_Formatter
    )
    p.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="recurrent", help="which network")
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter of the network")
    p.add_argument("--out", type=Path, required=True, help="folder of the run: last.pt, best.pt, log.jsonl")
    p.add_argument("--resume", action="store_true", help="continue from OUT/last.pt")
    p.add_argument("--start", metavar="FILE|KEY", help="checkpoint or model to take the weights of")
    p.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="where --start finds a KEY")
    p.add_argument("--seed", type=int, default=1, help="of weights, rooms and mixtures")
    material = p.add_argument_group("material (folders are read recursively)")
    add_material(material)
    _add_validation(material)
    _add_optimisation(p.add_argument_group("optimisation"))
    _add_machine(p.add_argument_group("machine"))
    return p


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults and keeps the line breaks of the example."""


def add_material(group: argparse._ArgumentGroup) -> None:
    """Which recordings, and how mixtures are made of them."""
    group.add_argument("--speech", type=Path, nargs="+", required=True, metavar="DIR", help="clean speech")
    group.add_argument("--noise", type=Path, nargs="+", required=True, metavar="DIR", help="noise")
    group.add_argument("--rir", type=Path, nargs="*", default=[], metavar="DIR", help="recorded room responses")
    group.add_argument(
        "--cache", type=Path, default=Path("runs/cache"), help="where decoded material is kept (2 GB per 17 h)"
    )
    group.add_argument("--min-speech-snr", type=float, default=25.0, metavar="DB", help="leave out noisier speech")
    group.add_argument("--simulated-rooms", type=int, default=200, help="room responses to make up")
    group.add_argument("--seconds", type=float, default=4.0, help="length of a mixture")
    group.add_argument(
        "--recipe", action="append", default=[], metavar="NAME=VALUE", help="a field of training.mixtures.Recipe"
    )


def _add_validation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--valid-speech", type=Path, nargs="*", default=[], metavar="DIR", help="speech of other speakers"
    )
    group.add_argument("--valid-noise", type=Path, nargs="*", default=[], metavar="DIR", help="other noises")


def _add_optimisation(group: argparse._ArgumentGroup) -> None:
    budget = group.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="budget in minutes; the rate falls with the time used")
    budget.add_argument("--steps", type=int, help="budget in steps")
    group.add_argument("--batch", type=int, default=24, help="mixtures a step")
    group.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate (AdamW)")
    group.add_argument("--lowest-rate", type=float, default=1e-5, help="learning rate at the end")
    group.add_argument("--warm-up", type=int, default=300, help="steps")
    group.add_argument("--weight-decay", type=float, default=0.01, help="of AdamW")
    group.add_argument("--clip-norm", type=float, default=1.0, help="longest gradient")
    group.add_argument("--waveform", type=float, default=0.08, help="weight of the waveform's error in the loss")
    group.add_argument("--perceptual", type=float, default=0.06, help="weight of PESQ points lost in the loss")
    group.add_argument("--intelligibility", type=float, default=0.08, help="weight of ESTOI lost in the loss")
    group.add_argument("--average-decay", type=float, default=0.999, help="of the averaged weights")


def _add_machine(group: argparse._ArgumentGroup) -> None:
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    group.add_argument("--device", default=automatic, help="cpu or cuda")
    group.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of matrix products")
    group.add_argument("--threads", type=int, default=1, help="of the training process")
    group.add_argument("--workers", type=int, default=1, help="processes that mix")
    group.add_argument("--log-every", type=int, default=50, help="steps")
    group.add_argument("--validate-every", type=float, default=10, metavar="MINUTES", help="between validations")
    group.add_argument("--validation-items", type=int, default=40, help="mixtures validated on")
    group.add_argument("--save-every", type=float, default=3, metavar="MINUTES", help="between checkpoints")


def assignments(pairs: list[str], fields: dict[str, Any]) -> dict[str, Any]:
    """NAME=VALUE texts as a dictionary; values are JSON. Raises SystemExit for a name that is not in `fields`."""
    values = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in fields:
            raise SystemExit(f"{name!r} is none of {', '.join(fields)}")
        values[name] = json.loads(text)
    return values


def recipe(options: argparse.Namespace) -> Recipe:
    """The recipe of mixtures that the command line asks for."""
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    return Recipe(**{"seconds": options.seconds, **assignments(options.recipe, fields)})


def sources(options: argparse.Namespace) -> Sources:
    """The material for training."""
    return Sources(
        speech=tuple(options.speech),
        noise=tuple(options.noise),
        rooms=tuple(options.rir),
        cache=options.cache,
        simulated_rooms=options.simulated_rooms,
        minimum_range=options.min_speech_snr,
    )


def validation_pairs(options: argparse.Namespace) -> Pair | None:
    """The validation set, or None without folders for it."""
    if not (options.valid_speech and options.valid_noise):
        return None
    unseen = dataclasses.replace(sources(options), speech=tuple(options.valid_speech), noise=tuple(options.valid_noise))
    samplers = unseen.speech_sampler(), unseen.noise_sampler()
    return validation_set(*samplers, options.validation_items, options.seconds)


def build_trainer(options: argparse.Namespace) -> Trainer:
    """A trainer with fresh weights, or with those of `--start`."""
    config = ARCHITECTURES[options.architecture].config
    fields = {field.name: field for field in dataclasses.fields(config)}
    hyperparameters = dataclasses.asdict(config(**assignments(options.set, fields)))
    schedule = Schedule(
        peak=options.rate,
        lowest=options.lowest_rate,
        warm_up=options.warm_up,
        steps=options.steps,
        seconds=None if options.minutes is None else options.minutes * 60,
    )
    trainer = Trainer(options.architecture, hyperparameters, schedule, trainer_options(options))
    if options.start:
        begun = origin(options.start, options.models)
        trainer.start(starting_weights(begun, options.architecture, hyperparameters))
    trainer.record = {name: _plain(value) for name, value in vars(options).items()}
    return trainer


def trainer_options(options: argparse.Namespace) -> TrainerOptions:
    """The part of the command line that concerns the loop."""
    return TrainerOptions(
        out=options.out,
        device=options.device,
        precision=options.precision,
        weight_decay=options.weight_decay,
        clip_norm=options.clip_norm,
        average_decay=options.average_decay,
        loss=LossWeights(
            waveform=options.waveform, perceptual=options.perceptual, intelligibility=options.intelligibility
        ),
        log_every=options.log_every,
        validate_every=options.validate_every * 60,
        save_every=options.save_every * 60,
    )


def _plain(value: Any) -> Any:
    """Paths as text, so that a checkpoint holds plain values."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


if __name__ == "__main__":
    main()
