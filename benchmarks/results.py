"""Where results go: a JSON with the machine it was measured on, and a plot, both in benchmarks/results/."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

FOLDER = Path(__file__).resolve().parent / "results"
INCHES = (7.0, 3.2)
DOTS = 80  # an inch


def parser(description: str | None) -> argparse.ArgumentParser:
    """A command line with the options that every benchmark has."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--results", type=Path, default=FOLDER, help="folder of JSON and plot (default: %(default)s)")
    found.add_argument("--beside", default="", help="what else ran on the machine meanwhile, for the record")
    return found


def write(
    options: argparse.Namespace,
    benchmark: str,
    machine: dict[str, Any],
    report: dict[str, Any],
    draw: Callable[[Axes], None],
) -> None:
    """Writes BENCHMARK.json and BENCHMARK.png; `draw` fills the axes of the plot."""
    options.results.mkdir(parents=True, exist_ok=True)
    settings = {name: str(value) for name, value in vars(options).items() if not isinstance(value, Path)}
    whole = {"benchmark": benchmark, "beside": options.beside, "options": settings, "machine": machine, **report}
    file = options.results / f"{benchmark}.json"
    file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    figure, axes = plt.subplots(figsize=INCHES, dpi=DOTS, layout="constrained")
    draw(axes)
    axes.grid(alpha=0.3)
    figure.savefig(file.with_suffix(".png"))
    plt.close(figure)
    print(f"written: {file} and {file.with_suffix('.png').name}")
