"""Measure models, checkpoints or enhanced files on a folder of pairs: `python -m training.evaluate --help`."""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import torch
from tqdm import tqdm

from inference.precision import PRECISIONS
from inference.store import load_store
from training import evaluation, systems
from training.pairs import RecordedPair, find_pairs
from training.plot import plot_evaluation
from training.tables import evaluation_tables

EXAMPLE = """
PAIRS holds clean/ID.* and noisy/ID.*, and meta.tsv with the columns id and snr where figures by SNR are wanted.

  python -m training.evaluate PAIRS --model production --clean --levels --json production.json --plot production.png
  python -m training.evaluate PAIRS --checkpoint runs/first/best.pt
  python -m training.evaluate PAIRS --enhanced FOLDER_OF_ANOTHER_SYSTEM
"""

Result = TypeVar("Result")


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    pairs = find_pairs(options.pairs)[:: options.every]
    report = {name: evaluate(name, system, pairs, options) for name, system in chosen(options).items()}
    print(evaluation_tables(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot_evaluation(report, options.plot)


def parser() -> argparse.ArgumentParser:
    """All options."""
    p = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("pairs", type=Path, metavar="PAIRS", help="folder with clean/ and noisy/")
    p.add_argument("--model", action="append", default=[], metavar="KEY", help="key or label of a model; repeatable")
    p.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="models folder (default: models)")
    p.add_argument(
        "--checkpoint", action="append", default=[], type=Path, metavar="FILE", help="of a training; repeatable"
    )
    p.add_argument(
        "--enhanced", action="append", default=[], type=Path, metavar="DIR", help="enhanced files; repeatable"
    )
    p.add_argument("--clean", action="store_true", help="also send the clean speech through (not with --enhanced)")
    p.add_argument("--levels", action="store_true", help="also vary the input level (not with --enhanced)")
    p.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth pair only")
    p.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="of --model, as served (default: %(default)s)"
    )
    p.add_argument("--threads", type=int, default=1, help="of the network (default: 1)")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all figures, clip by clip")
    p.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures by SNR")
    return p


def chosen(options: argparse.Namespace) -> dict[str, systems.System]:
    """The systems by name: the unprocessed input first."""
    found: dict[str, systems.System] = {"unprocessed": systems.unprocessed}
    if options.model:
        store = load_store(options.models, precision=options.precision)
        found |= {name: systems.of_model(store.resolve(name)) for name in options.model}
    found |= {
        f"{file.parent.name}/{file.stem}": systems.of_model(systems.of_checkpoint(file)) for file in options.checkpoint
    }
    return found | {folder.name: systems.of_folder(folder) for folder in options.enhanced}


def evaluate(
    name: str, system: systems.System, pairs: list[RecordedPair], options: argparse.Namespace
) -> dict[str, Any]:
    """Every figure of one system, ready for JSON."""
    scores = _each(f"{name}: mixtures", pairs, lambda pair: evaluation.score_pair(system, pair))
    report: dict[str, Any] = {
        "pairs": len(scores),
        "mean": evaluation.summary(scores),
        "by_snr": evaluation.by_snr(scores),
        "clips": evaluation.as_rows(scores),
    }
    takes_anything = name not in {folder.name for folder in options.enhanced} | {"unprocessed"}
    if options.clean and takes_anything:
        clean = _each(f"{name}: clean", pairs, lambda pair: evaluation.score_clean(system, pair))
        report["clean"] = evaluation.clean_summary(clean)
    if options.levels and takes_anything:
        levels = _each(f"{name}: levels", pairs, lambda pair: list(evaluation.score_levels(system, pair)))
        report["levels"] = evaluation.level_summary([score for scores in levels for score in scores])
    return report


def _each(label: str, pairs: Iterable[RecordedPair], work: Callable[[RecordedPair], Result]) -> list[Result]:
    return [work(pair) for pair in tqdm(pairs, desc=label, unit="clip")]


if __name__ == "__main__":
    main()
