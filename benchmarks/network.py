"""How fast the networks are on one core, and how fast the core's arithmetic would let them be.

Each model enhances clips of 10 s through `Enhancer`'s blocks (STFT, network, inverse), one clip alone and eight as
channels of one batch, in each number format. The floor is the time that its multiply-accumulates would take at the
rate of a large matrix product in the same format on this core; what is above it is memory traffic, elementwise work,
the transforms and dispatch. CPU time, median.

    make bench BENCH=network
    python -m benchmarks.network --rounds 9
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from benchmarks.machine import description
from benchmarks.results import parser, write
from inference.enhancer import Enhancer, enhance
from inference.networks.packed import PackedLstm
from inference.spectral import BINS, HOP, SAMPLING_RATE
from inference.store import Model, load_store
from tests.servers import ROOT

SECONDS = 10.0
BATCHES = (1, 8)
GEMM_SIZE = 768
FRAMES = 64


def cpu_seconds(run: Callable[[], object], rounds: int) -> list[float]:
    """CPU seconds of each of `rounds` runs, after one that does not count."""
    run()
    found = []
    for _ in range(rounds):
        start = time.thread_time()
        run()
        found.append(time.thread_time() - start)
    return found


def gemm_rate(dtype: torch.dtype, rounds: int) -> float:
    """Multiply-accumulates a second of a large product."""
    left, right = (torch.randn(GEMM_SIZE, GEMM_SIZE).to(dtype) for _ in range(2))
    return float(GEMM_SIZE**3 / statistics.median(cpu_seconds(lambda: left @ right, rounds)))


def accumulates(model: Model) -> float:
    """Multiply-accumulates with weights for a second of audio."""
    found = 0

    def count(module: nn.Module, _: Any, answer: Any) -> None:
        nonlocal found
        result: Tensor = answer[0] if isinstance(answer, tuple) else answer
        matrices = sum(weight.numel() for weight in module.parameters() if weight.ndim == 2)
        found += matrices * result[..., 0].numel()

    spectra = torch.ones(1, FRAMES, BINS, dtype=torch.complex64)
    with torch.inference_mode():  # a stream under way: at its beginning a network may have nothing to do yet
        _, state = model.network(spectra, model.network.initial_state(1))  # type: ignore[operator]
    hooks = [
        module.register_forward_hook(count)
        for module in model.network.modules()
        if isinstance(module, nn.Linear | PackedLstm) or type(module) is nn.LSTM
    ]
    with torch.inference_mode():
        model.network(spectra, state)  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    return found * SAMPLING_RATE / HOP / FRAMES


def measure(model: Model, precision: str, batch: int, rate: float, rounds: int) -> dict[str, Any]:
    """One row."""
    audio = np.random.default_rng(0).normal(0, 0.1, (round(SECONDS * SAMPLING_RATE), batch)).astype(np.float32)

    def run() -> None:
        for _ in enhance([audio], Enhancer(model, rate=SAMPLING_RATE, channels=batch)):
            pass

    taken = sorted(cpu_seconds(run, rounds))
    audio_seconds = SECONDS * batch
    work = accumulates(model)
    return {
        "model": model.info.key,
        "precision": precision,
        "batch": batch,
        "times_real_time": round(audio_seconds / statistics.median(taken), 1),
        "slowest": round(audio_seconds / taken[-1], 1),
        "fastest": round(audio_seconds / taken[0], 1),
        "macs_per_audio_second": round(work),
        "floor_times_real_time": round(rate / work, 1) if work else None,
        "share_of_floor": round(audio_seconds * work / rate / statistics.median(taken), 3) if work else None,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen."""
    lines = ["model      format  clips  x real time (slowest-fastest)   MMAC/s of audio   floor x   share of the floor"]
    for row in rows:
        spread = f"{row['times_real_time']:8.0f} ({row['slowest']:.0f}-{row['fastest']:.0f})"
        floor = "-" if row["floor_times_real_time"] is None else f"{row['floor_times_real_time']:.0f}"
        lines.append(
            f"{row['model']:10} {row['precision']:6} {row['batch']:6}  {spread:30} "
            f"{row['macs_per_audio_second'] / 1e6:12.1f} {floor:>11} {row['share_of_floor'] or '-':>12}"
        )
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], axes: Axes) -> None:
    """Bars."""
    names = [f"{row['model']}\n{row['precision']} x{row['batch']}" for row in rows]
    axes.bar(names, [row["times_real_time"] for row in rows])
    axes.tick_params(axis="x", labelsize=6)
    axes.set(ylabel="x real time", title="One core, clips of 10 s")


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--rounds", type=int, default=9, help="runs of each row (default: 9)")
    found.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    return found.parse_args()


def main() -> None:
    """Measures, prints the table, writes JSON and plot."""
    options = parse()
    torch.set_num_threads(1)
    machine = description()
    rows, rates = [], {}
    for precision in options.precisions:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        rates[precision] = gemm_rate(dtype, options.rounds)
        for model in load_store(ROOT / "models", precision=precision).models.values():
            rows += [measure(model, precision, batch, rates[precision], options.rounds) for batch in BATCHES]
    rates = {precision: round(rate / 1e9, 1) for precision, rate in rates.items()}
    found = f"GEMM on this core, 10^9 multiply-accumulates a second: {rates}\n{table(rows)}"
    print(found)
    report = {"gemm_gmac_per_s": rates, "rows": rows}
    write(options, "network", machine, report, found, lambda axes: draw(rows, axes))


if __name__ == "__main__":
    main()
