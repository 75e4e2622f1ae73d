"""The pictures of a report."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inference.drift import FEATURES, Feature, Reference, histogram, psi
from monitoring.logs import Line

matplotlib.use("agg")
SEEN, WANTED = "#1f6f8b", "#c9b58f"


def plot_features(model: str, features: Sequence[Mapping[str, float]], reference: Reference | None, file: Path) -> None:
    """A histogram of each feature beside that of the reference."""
    figure = Figure(figsize=(12, 10), layout="constrained")
    for place, feature in enumerate(FEATURES.values(), 1):
        values = [one[feature.name] for one in features if feature.name in one]
        wanted = None if reference is None else reference.shares.get(feature.name)
        _bars(figure.add_subplot(3, 3, place), feature, histogram(feature, values), wanted)
    figure.suptitle(f"{len(features)} recordings for {model} and its reference")
    figure.savefig(file, dpi=100)


def plot_day(lines: Sequence[Line], file: Path) -> None:
    """Requests and the 95th percentile of their duration, by hour."""
    hours: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        hours[line["time"][:13]].append(line)
    names = sorted(hours)
    figure = Figure(figsize=(12, 6), layout="constrained")
    upper, lower = figure.add_subplot(2, 1, 1), figure.add_subplot(2, 1, 2)
    counts = {name: Counter(line["status"] // 100 for line in hours[name]) for name in names}
    bottom = np.zeros(len(names))
    for kind, colour in ((2, SEEN), (3, "#999999"), (4, WANTED), (5, "#b33a3a")):
        heights = np.array([counts[name][kind] for name in names], float)
        upper.bar(names, heights, bottom=bottom, color=colour, label=f"{kind}xx")
        bottom += heights
    upper.set_ylabel("requests an hour")
    upper.legend()
    lower.plot(
        names, [np.quantile([line["seconds"] for line in hours[name]], 0.95) for name in names], "o-", color=SEEN
    )
    lower.set_ylabel("95 % within (s)")
    lower.set_ylim(bottom=0)
    for axes in (upper, lower):
        axes.set_xticks(range(len(names)), [name[-2:] + " h" for name in names])
    figure.savefig(file, dpi=100)


def _bars(axes: Axes, feature: Feature, counts: Sequence[int], wanted: Sequence[float] | None) -> None:
    places = np.arange(len(counts))
    shares = np.array(counts) / max(sum(counts), 1)
    title = feature.says
    if wanted is not None:
        axes.bar(places + 0.2, wanted, 0.4, color=WANTED, label="reference")
        title += f"\nPSI {psi(counts, wanted):.3f}"
    axes.bar(places - 0.2, shares, 0.4, color=SEEN, label="seen")
    axes.set_xticks(places, feature.bins(), rotation=60, ha="right", fontsize=7)
    axes.set_title(title, fontsize=9)
    axes.set_ylabel("share")
    axes.legend(fontsize=7)
