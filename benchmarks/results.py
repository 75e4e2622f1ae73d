"""Where results go: benchmarks/results/ gets a JSON with the machine it was measured on, a plot, and a page of all.

python -m benchmarks.results        writes the page anew from the JSON files
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from inference.store import DEFAULT_LABEL, parse_entry, read_entries

FOLDER = Path(__file__).resolve().parent / "results"
MODELS = FOLDER.parents[1] / "models"
PAGE = "README.md"
HEADING = """# Results

Written by the benchmarks; [the page above](../README.md) says what they ask and what was found.
"""
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
    table: str,
    draw: Callable[[Axes], None],
) -> None:
    """Writes BENCHMARK.json and BENCHMARK.png, and the page of all results; `draw` fills the axes of the plot."""
    options.results.mkdir(parents=True, exist_ok=True)
    settings = {name: str(value) for name, value in vars(options).items() if not isinstance(value, Path)}
    whole = {
        "benchmark": benchmark,
        "network": _network(),
        "beside": options.beside,
        "options": settings,
        "machine": machine,
        **report,
        "table": table.splitlines(),
    }
    file = options.results / f"{benchmark}.json"
    file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    figure, axes = plt.subplots(figsize=INCHES, dpi=DOTS, layout="constrained")
    draw(axes)
    axes.grid(alpha=0.3)
    figure.savefig(file.with_suffix(".png"))
    plt.close(figure)
    (options.results / PAGE).write_text(page(options.results), encoding="utf-8")
    print(f"written: {file} and {file.with_suffix('.png').name}")


def page(folder: Path) -> str:
    """The tables of all results in `folder`, as Markdown."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    return HEADING + "".join(_section(result) for result in results)


def _section(result: dict[str, Any]) -> str:
    machine, name = result["machine"], result["benchmark"]
    options = ", ".join(f"{key} {value}" for key, value in result["options"].items() if key != "beside")
    table = "\n".join(result["table"])
    return f"""
## {name}
{result["network"]}; {machine["when"][:16].replace("T", " ")} UTC; {machine["cores"]} cores of {machine["processor"]}, \
{machine["busy_percent_before"]:g} % busy before; beside {result["beside"] or "nothing"}. Options: {options}.

```
{table}
```
![{name}]({name}.png)
"""


def _network() -> str:
    """Key and version of the model that is measured unless an option says otherwise."""
    infos = (parse_entry(key, entry) for key, entry in read_entries(MODELS).items())
    served = next(info for info in infos if DEFAULT_LABEL in info.labels)
    return f"{served.key} {served.version}"


if __name__ == "__main__":
    (FOLDER / PAGE).write_text(page(FOLDER), encoding="utf-8")
