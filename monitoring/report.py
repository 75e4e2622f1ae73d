"""A day's logs in figures and plots: `python -m monitoring.report LOG... --out DIR`.

Reads the lines that HUSH_ACCESS_LOG=true gives, writes DIR/report.md, DIR/features.png and DIR/day.png.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inference.drift import (
    DIFFERENT,
    FEATURES,
    NOTICEABLE,
    Reference,
    histogram,
    load_reference,
    make_reference,
    psi,
    reference_file,
)
from inference.errors import StoreError
from monitoring.logs import Line, request_lines
from monitoring.plots import plot_day, plot_features

MODELS = Path(__file__).resolve().parent.parent / "models"
QUANTILES = (0.5, 0.95, 0.99)


def main(arguments: list[str] | None = None) -> int:
    """The command; 2 with a sentence on stderr where there is nothing to report."""
    options = parser().parse_args(arguments)
    try:
        lines = list(request_lines(options.logs))
        measured = [line for line in lines if line.get("features")]
        if not lines:
            raise ValueError("the logs hold no line of a request; is HUSH_ACCESS_LOG=true?")
        model = options.model or (Counter(line["model"] for line in measured).most_common(1) or [("", 0)])[0][0]
        reference = _reference(options, model)
    except (OSError, ValueError, StoreError) as error:
        print(f"python -m monitoring.report: {error}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    features = [line["features"] for line in measured if line["model"] == model]
    text = [*traffic(lines), *quality(model, features, reference)]
    (options.out / "report.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    plot_day(lines, options.out / "day.png")
    if features:
        plot_features(model, features, reference, options.out / "features.png")
    if options.reference_out and features:
        version = next(line["model_version"] for line in reversed(measured) if line["model"] == model)
        made = make_reference(version, f"{len(features)} requests of {period(lines)}", features, list(FEATURES))
        options.reference_out.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print(options.out / "report.md")
    return 0


def parser() -> argparse.ArgumentParser:
    """All options."""
    p = argparse.ArgumentParser(prog="python -m monitoring.report", description=(__doc__ or "").split(":")[0] + ".")
    p.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="files of the application's log, plain or .gz")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    p.add_argument("--model", help="key of the model to look at (default: the one that was used most)")
    p.add_argument("--models", type=Path, default=MODELS, metavar="DIR", help="folder of the references")
    p.add_argument("--reference-out", type=Path, metavar="FILE", help="also write a reference of these recordings")
    return p


def traffic(lines: Sequence[Line]) -> list[str]:
    """What was asked and how it was answered, as Markdown."""
    audio = [line for line in lines if line.get("audio_seconds")]
    text = [
        f"# Report of {period(lines)}",
        "",
        "## Requests",
        "",
        "| route | status | requests |",
        "| --- | --- | --- |",
    ]
    counts = Counter((line["route"] or "(none)", line["status"]) for line in lines)
    text += [f"| {route} | {status} | {count} |" for (route, status), count in sorted(counts.items())]
    refusals = Counter(line["refusal"] for line in lines if line.get("refusal"))
    if refusals:
        text += ["", "Not served: " + ", ".join(f"{count} {why}" for why, count in refusals.most_common()) + "."]
    if audio:
        hours = sum(line["audio_seconds"] for line in audio) / 3600
        text += ["", f"{hours:.2f} hours of audio in {len(audio)} recordings.", *_times(audio)]
    return text


def quality(model: str, features: Sequence[dict[str, float]], reference: Reference | None) -> list[str]:
    """What the recordings were like, as Markdown."""
    text = ["", f"## Recordings for {model or 'no model'}", "", f"{len(features)} recordings."]
    if not features:
        return text
    text += ["", "| feature | 5 % | median | 95 % | PSI | |", "| --- | --- | --- | --- | --- | --- |"]
    for name, feature in FEATURES.items():
        values = [one[name] for one in features if name in one]
        low, middle, high = np.percentile(values, [5, 50, 95])
        index = None
        if reference is not None and name in reference.shares:
            index = psi(histogram(feature, values), reference.shares[name])
        row = f"| {feature.says} | {low:.4g} | {middle:.4g} | {high:.4g} |"
        text.append(row + (" | |" if index is None else f" {index:.3f} | {judged(index)} |"))
    made = "no reference of this model's version" if reference is None else f"reference: {reference.made_from}"
    return [
        *text,
        "",
        f"PSI: {made}. Below {NOTICEABLE} alike, above {DIFFERENT} different.",
        "",
        "![Features](features.png)",
    ]


def judged(index: float) -> str:
    """The index in a word."""
    return "alike" if index < NOTICEABLE else "noticeable" if index <= DIFFERENT else "different"


def period(lines: Sequence[Line]) -> str:
    """From the first line's time to the last one's."""
    times = sorted(line["time"] for line in lines)
    return f"{times[0][:16]} to {times[-1][:16]} UTC"


def _times(audio: Sequence[Line]) -> list[str]:
    text = ["", "| seconds | " + " | ".join(f"{100 * q:g} %" for q in QUANTILES) + " |", "| --- " * 4 + "|"]
    of = {"whole request": [line["seconds"] for line in audio]}
    for stage in audio[0].get("stages", {}):
        of[stage] = [line["stages"][stage] for line in audio if "stages" in line]
    for name, seconds in of.items():
        text.append(f"| {name} | " + " | ".join(f"{value:.4f}" for value in np.quantile(seconds, QUANTILES)) + " |")
    return [*text, "", "![The day](day.png)"]


def _reference(options: argparse.Namespace, model: str) -> Reference | None:
    file = reference_file(options.models, model)
    return load_reference(file) if model and file.exists() else None


if __name__ == "__main__":
    sys.exit(main())
