"""Draws the README's picture: the spectrogram of a noisy recording above that of the same recording enhanced.

    python -m docs.pictures.spectrogram [--input RECORDING] [--model KEY] [--output PICTURE]     (make picture)

The enhancement is the served one (`inference.enhancer`); both panels share one colour scale, in decibels below the
loudest spot of the noisy recording, so what is darker below was removed.
"""

import argparse
import io
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from PIL import Image
from scipy import signal

from inference.audio import AudioReader
from inference.enhancer import Enhancer, enhance
from inference.store import DEFAULT_LABEL, load_store

ROOT = Path(__file__).resolve().parent.parent.parent
WINDOW_SECONDS = 0.032  # resolves the harmonics of a voice, 31 Hz apart
RANGE_DB = 70.0  # from the brightest to the darkest colour
FLOOR = 1e-12  # power that stands for silence


def enhanced(recording: Path, model_name: str) -> tuple[NDArray[np.float32], NDArray[np.float32], int, str]:
    """First channel before and after, each [frames]; the sampling rate in Hz; the model's display name."""
    model = load_store(ROOT / "models").resolve(model_name)
    with recording.open("rb") as file, AudioReader(file) as reader:
        before = list(reader.blocks())
        enhancer = Enhancer(model, rate=reader.rate, channels=reader.channels)
        after = np.concatenate(list(enhance(before, enhancer)))
        return np.concatenate(before)[:, 0], after[:, 0], reader.rate, model.info.name


def power_db(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Spectrogram in dB, [bins, frames]."""
    window = int(WINDOW_SECONDS * rate)
    hop = window // 4
    _, _, power = signal.spectrogram(samples, rate, window="hann", nperseg=window, noverlap=window - hop)
    return np.asarray(10 * np.log10(power + FLOOR))


def draw_panel(axes: Axes, spectrogram: NDArray[np.float64], duration: float, rate: int, peak: float) -> AxesImage:
    """One spectrogram with time and frequency on its axes."""
    axes.set_ylabel("kHz")
    axes.spines[:].set_visible(False)
    return axes.imshow(
        spectrogram - peak,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
        extent=(0, duration, 0, rate / 2000),
        interpolation="bilinear",
    )


def draw(recording: Path, model_name: str, picture: Path) -> None:
    """Enhances `recording` and writes `picture`."""
    before, after, rate, name = enhanced(recording, model_name)
    figure, panels = pyplot.subplots(2, 1, figsize=(10, 5.4), sharex=True, layout="constrained")
    noisy_db = power_db(before, rate)
    clean_db = power_db(after, rate)
    duration, peak = len(before) / rate, float(noisy_db.max())
    image = draw_panel(panels[0], noisy_db, duration, rate, peak)
    draw_panel(panels[1], clean_db, duration, rate, peak)
    panels[0].set_title(f"before: {recording.name}", loc="left", fontsize=11)
    panels[1].set_title(f"after: {name}", loc="left", fontsize=11)
    panels[1].set_xlabel("seconds")
    figure.colorbar(image, ax=panels, label="dB below the loudest spot", pad=0.01)
    save(figure, picture)


def save(figure: Figure, picture: Path) -> None:
    """Writes a PNG with a palette of 256 colours: a quarter of the size, and no difference to the eye."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=100)
    pyplot.close(figure)
    Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(picture, optimize=True)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures.spectrogram", description="Draw before and after.")
    parser.add_argument("--input", type=Path, default=ROOT / "tests" / "data" / "noisy.wav", metavar="RECORDING")
    parser.add_argument("--model", default=DEFAULT_LABEL, metavar="KEY", help="key or label (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("spectrogram.png"), metavar="PICTURE")
    options = parser.parse_args()
    matplotlib.use("agg")
    torch.set_num_threads(1)
    draw(options.input, options.model, options.output)


if __name__ == "__main__":
    main()
