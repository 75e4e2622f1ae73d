"""List, add, promote and verify models: `python -m inference.models` (make models ARGS="...").

    list              the models, their labels, what was measured, and whether they are intact
    add PACKAGE       take a model in, from a tar file or a folder; it gets no label
    promote KEY       give it the label `production`; the model that had it is labelled `previous`
    promote --back    give `production` back to that one
    verify [KEY ...]  hashes and stored examples

A running server goes on with what it has loaded until it is told to reload (docs/operations.md).
"""

import argparse
import sys
from pathlib import Path

import torch

from inference.errors import StoreError
from inference.models.check import fault
from inference.models.index import editing, promote, promote_back
from inference.models.intake import add
from inference.networks import ARCHITECTURES
from inference.store import ModelInfo, parse_entry, read_entries

MODELS = Path(__file__).resolve().parent.parent.parent / "models"
COLUMNS = ("KEY", "VERSION", "ARCHITECTURE", "PARAMETERS", "LABELS", "PESQ", "VERIFIED")
RELOAD = "Running servers take it over with: systemctl reload hush.service (elsewhere: kill -HUP of gunicorn's master)."


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 refused or not intact, 2 wrong call."""
    options = parser().parse_args(arguments)
    if options.command == "promote" and (options.key is None) == (not options.back):
        print("python -m inference.models promote: name either a KEY or --back", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    try:
        return int(COMMANDS[options.command](options))
    except StoreError as error:
        print(f"python -m inference.models: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m inference.models", description="The models and their labels.")
    p.add_argument("--models", type=Path, default=MODELS, metavar="DIR", help="models folder (default: the project's)")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="the models, their labels, and whether they are intact")
    adding = commands.add_parser("add", help="take in a model package; it gets no label")
    adding.add_argument("package", type=Path, metavar="PACKAGE", help="tar file (not compressed) or folder")
    promoting = commands.add_parser("promote", help="move the label `production`")
    promoting.add_argument("key", nargs="?", metavar="KEY", help="the model that gets it")
    promoting.add_argument("--back", action="store_true", help="give it back to the model labelled `previous`")
    verifying = commands.add_parser("verify", help="hashes and stored examples")
    verifying.add_argument("keys", nargs="*", metavar="KEY", help="default: every model")
    return p


def list_models(options: argparse.Namespace) -> int:
    """Prints the table."""
    rows = [COLUMNS, *(row(options.models, info) for info in infos(options.models))]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(COLUMNS))]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return 0


def row(folder: Path, info: ModelInfo) -> tuple[str, ...]:
    """One line of the table."""
    pesq = info.quality.get("mean", {}).get("pesq")
    reason = fault(folder, info)
    return (
        info.key,
        info.version,
        info.architecture,
        parameters(info),
        ", ".join(info.labels) or "-",
        "-" if pesq is None else f"{pesq:.2f}",
        f"NO: {reason}" if reason else "yes" if info.weights else "no weights",
    )


def parameters(info: ModelInfo) -> str:
    """How many trained numbers the network has, without making room for them."""
    try:
        with torch.device("meta"):
            network = ARCHITECTURES[info.architecture].build(info.hyperparameters)
    except (TypeError, ValueError):
        return "?"
    return f"{sum(parameter.numel() for parameter in network.parameters()):,}"


def infos(folder: Path) -> list[ModelInfo]:
    """The entries of a models folder; raises `StoreError`."""
    return [parse_entry(key, entry) for key, entry in read_entries(folder).items()]


def add_model(options: argparse.Namespace) -> int:
    """Takes a package in."""
    info = add(options.package, options.models)
    print(f"{info.key} {info.version} is in {options.models}, without a label. {RELOAD}")
    return 0


def promote_model(options: argparse.Namespace) -> int:
    """Moves the label, to a model that is intact."""
    with editing(options.models) as entries:
        key, old = promote_back(entries) if options.back else (options.key, promote(entries, options.key))
        if reason := fault(options.models, parse_entry(key, entries[key])):
            raise StoreError(f"{key} is not intact and gets no label: {reason}")
    print(f"production is {key}, as before." if old is None else f"production is {key}, it was {old}. {RELOAD}")
    return 0


def verify_models(options: argparse.Namespace) -> int:
    """Checks; 1 where one of them is not intact."""
    known = {info.key: info for info in infos(options.models)}
    if unknown := [key for key in options.keys if key not in known]:
        raise StoreError(f"there is no model {', '.join(unknown)}; known are {', '.join(known)}")
    reasons = {key: fault(options.models, known[key]) for key in options.keys or known}
    for key, reason in reasons.items():
        print(f"{key}: {reason or 'intact'}")
    return 1 if any(reasons.values()) else 0


COMMANDS = {"list": list_models, "add": add_model, "promote": promote_model, "verify": verify_models}

if __name__ == "__main__":
    sys.exit(main())
