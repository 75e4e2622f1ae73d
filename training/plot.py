"""Draw the learning curves of trainings: `python -m training.plot RUN [RUN ...] --out curves.png`."""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # draws into files; no display is needed
from matplotlib import pyplot as plt

PANELS = {
    "loss": "loss (dots: training, line: unseen)",
    "pesq": "PESQ-wb, unseen mixtures",
    "si_sdr_gain": "SI-SDR gain (dB), unseen mixtures",
}
SMOOTHED = 10  # log lines behind a dot of the training loss
EVALUATED = {"pesq": "PESQ-wb", "estoi": "ESTOI", "si_sdr_gain": "SI-SDR gain (dB)"}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    p = argparse.ArgumentParser(prog="python -m training.plot", description=__doc__)
    p.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of trainings, with log.jsonl")
    p.add_argument("--out", type=Path, default=Path("curves.png"), metavar="FILE", help="default: curves.png")
    p.add_argument("--against", choices=["audio_hours", "seconds", "step"], default="audio_hours", help="the x axis")
    options = p.parse_args(arguments)
    plot_runs({run.name: read_log(run / "log.jsonl") for run in options.runs}, options.against, options.out)


def read_log(file: Path) -> list[dict[str, Any]]:
    """Lines of a log, oldest first; steps that were repeated after a resume appear once."""
    entries: dict[tuple[str, int], dict[str, Any]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        entries[entry["kind"], entry["step"]] = entry
    return sorted(entries.values(), key=lambda entry: entry["step"])


def plot_runs(logs: dict[str, list[dict[str, Any]]], against: str, out: Path) -> None:
    """One colour a run, one panel a figure."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(5 * len(PANELS), 3.8), layout="constrained")
    for number, (name, log) in enumerate(logs.items()):
        trained = [entry for entry in log if entry["kind"] == "train"]
        x, y = smoothed([entry[against] for entry in trained]), smoothed([entry["total"] for entry in trained])
        axes[0].plot(x, y, ".", markersize=3, color=f"C{number}")
        valid = [entry for entry in log if entry["kind"] == "valid"]
        for axis, key in zip(axes, PANELS, strict=True):
            values = [entry[key] for entry in valid]
            axis.plot([entry[against] for entry in valid], values, "-o", markersize=3, color=f"C{number}", label=name)
    for axis, title in zip(axes, PANELS.values(), strict=True):
        axis.set(title=title, xlabel=against.replace("_", " "))
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(out, dpi=110)
    plt.close(figure)


def smoothed(values: list[float]) -> list[float]:
    """Means of SMOOTHED values each; the rest at the end is left out."""
    return [sum(values[i : i + SMOOTHED]) / SMOOTHED for i in range(0, len(values) - SMOOTHED + 1, SMOOTHED)]


def plot_evaluation(report: dict[str, dict[str, Any]], out: Path) -> None:
    """Figures by SNR, one line a system."""
    figure, axes = plt.subplots(1, len(EVALUATED), figsize=(5 * len(EVALUATED), 3.8), layout="constrained")
    for axis, (key, title) in zip(axes, EVALUATED.items(), strict=True):
        for name, values in report.items():
            snrs = [float(snr) for snr in values["by_snr"]]
            axis.plot(snrs, [figures[key] for figures in values["by_snr"].values()], "-o", markersize=3, label=name)
        axis.set(title=title, xlabel="SNR of the input (dB)")
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(out, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
