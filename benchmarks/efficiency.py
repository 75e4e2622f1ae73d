"""How much of what the server spends is the pipeline: CPU time for a second of audio, served against in-process.

The same pipeline (decode, enhance, encode) runs twice on the same machine, alternating: in as many plain processes as
the server has workers, and behind the server (master and workers) under closed-loop load. CPU time is compared, not
throughput, so that other work on the machine disturbs both sides alike; the ratio is what counts. The share of each
stage is its CPU time in the plain processes; what the server spends beyond them is HTTP (accept, parse, route, queue,
send) and everything that sharing the cores costs, less what passes made together save: with `--batch 1` they are not.

    make bench BENCH=efficiency
    python -m benchmarks.efficiency --model recurrent --clips 5 30 --rounds 5
"""

import argparse
import io
import os
import runpy
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile
import torch
from matplotlib.axes import Axes
from tqdm import tqdm

from api.responses import encode
from api.settings import Settings
from api.spool import Spooler
from api.timing import StageClock
from benchmarks.load import in_form, prepared, saturate
from benchmarks.machine import description
from benchmarks.results import parser, write
from inference.audio import FORMATS, AudioReader
from inference.enhancer import Enhancer, enhance
from inference.store import load_store
from tests.servers import Server, start_gunicorn

ROOT = Path(__file__).resolve().parent.parent
RATE = 16000  # Hz
STAGES = ("decode", "enhance", "encode")
SPOOLER = Spooler(Settings().spool_bytes, None)


def recording(seconds: float) -> bytes:
    """Speech-like noise, 16-bit WAV, mono."""
    generator = np.random.default_rng(0)
    envelope = np.abs(np.sin(np.arange(round(seconds * RATE)) / RATE * 2 * np.pi * 2))
    samples = generator.normal(0, 0.1, len(envelope)) * envelope + generator.normal(0, 0.01, len(envelope))
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


@dataclass(frozen=True)
class Spent:
    """CPU seconds for one recording: in all, and in each stage of the pipeline."""

    cpu: float
    stages: dict[str, float]


def plain_cost(audio: bytes, model_key: str, processes: int, seconds: float) -> Spent:
    """What a run of the pipeline costs in plain processes, so many at once."""
    context = get_context("spawn")
    with context.Pool(processes) as pool:
        spent = pool.starmap(in_process, [(audio, model_key, seconds)] * processes, chunksize=1)
    stages = {stage: statistics.mean(one.stages[stage] for one in spent) for stage in STAGES}
    return Spent(statistics.mean(one.cpu for one in spent), stages)


def in_process(audio: bytes, model_key: str, seconds: float) -> Spent:
    """Runs the pipeline for so long, in this process."""
    pipeline = loaded_pipeline(model_key)
    for _ in range(3):
        pipeline(audio)
    clocks, until, start = [], time.monotonic() + seconds, time.process_time()
    while time.monotonic() < until:
        clocks.append(pipeline(audio))
    cpu = (time.process_time() - start) / len(clocks)
    return Spent(cpu, {stage: statistics.median(clock.seconds[stage] for clock in clocks) for stage in STAGES})


def loaded_pipeline(model_key: str) -> Callable[[bytes], StageClock]:
    """decode -> enhance -> encode of one recording, with nothing around it but a clock of CPU time."""
    torch.set_num_threads(1)
    model = load_store(ROOT / "models", precision=Settings().precision).resolve(model_key)

    def run(audio: bytes) -> StageClock:
        clock = StageClock(time.thread_time)
        with clock.stage("decode"):
            reader = AudioReader(io.BytesIO(audio))
        enhancer = Enhancer(model, rate=reader.rate, channels=reader.channels)
        blocks = clock.during("enhance", enhance(clock.during("decode", reader.blocks()), enhancer))
        encode(blocks, FORMATS["wav"], rate=reader.rate, source=reader, spooler=SPOOLER, clock=clock).file.close()
        reader.close()
        return clock

    return run


def cpu_seconds(server: Server) -> float:
    """What master and workers have spent so far, in user and kernel mode."""
    processes = [psutil.Process(server.process.pid), *server.workers()]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def served_cost(server: Server, request: bytes, connections: int, seconds: float) -> float:
    """CPU seconds of the server for one answer; raises RuntimeError when an answer is no 200."""
    before = cpu_seconds(server)
    outcome = saturate(server.port, [request], connections=connections, seconds=seconds)
    if set(outcome.statuses) != {200}:
        raise RuntimeError(f"not every answer was a 200: {dict(outcome.statuses)}")
    return (cpu_seconds(server) - before) / outcome.served


def measure(server: Server, options: argparse.Namespace, clip: float, form: str) -> dict[str, Any]:
    """One row: the two costs in turn, their ratio, and the share of each stage."""
    audio = recording(clip)
    body, content_type = in_form(audio) if form == "multipart" else (audio, "audio/wav")
    request = prepared(f"/predict?model={options.model}", body, content_type)
    processes = len(server.workers())
    saturate(server.port, [request], connections=2 * processes, seconds=1.0)
    plain, served = [], []
    for _ in range(options.rounds):
        plain.append(plain_cost(audio, options.model, processes, options.seconds))
        served.append(served_cost(server, request, options.connections * processes, options.seconds))
    ratios = [a.cpu / b for a, b in zip(plain, served, strict=True)]
    stages = {stage: statistics.median(one.stages[stage] for one in plain) for stage in STAGES}
    stages["http"] = statistics.median(served) - sum(stages.values())
    return {
        "clip_s": clip,
        "body": form,
        "plain_ms": [round(1000 * one.cpu, 3) for one in plain],
        "served_ms": [round(1000 * cost, 3) for cost in served],
        "ratio": round(statistics.median(ratios), 4),
        "ratio_lowest": round(min(ratios), 4),
        "ratio_highest": round(max(ratios), 4),
        "stages_ms": {stage: round(1000 * cost, 3) for stage, cost in stages.items()},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen; milliseconds of CPU for one clip."""
    lines = ["  clip body       plain ms  served ms  ratio (lowest-highest)  ms: decode enhance encode HTTP"]
    for row in rows:
        stages = row["stages_ms"]
        costs = f"{statistics.median(row['plain_ms']):9.2f}{statistics.median(row['served_ms']):11.2f}"
        ratio = f"{row['ratio']:.3f} ({row['ratio_lowest']:.3f}-{row['ratio_highest']:.3f})"
        shares = f"{stages['decode']:6.2f} {stages['enhance']:7.2f} {stages['encode']:6.2f} {stages['http']:5.2f}"
        lines.append(f"{row['clip_s']:4g} s {row['body']:10}{costs}  {ratio:23} {shares}")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], axes: Axes) -> None:
    """The ratio of each row."""
    names = [f"{row['clip_s']:g} s\n{row['body']}" for row in rows]
    bars = axes.bar(names, [row["ratio"] for row in rows])
    axes.bar_label(bars, fmt="%.2f")
    axes.set(ylabel="share that is the pipeline", title="CPU time, in-process against served", ylim=(0, None))


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--model", default="production", help="key or label (default: production)")
    found.add_argument("--clips", type=float, nargs="+", default=[5, 30], metavar="S", help="lengths in seconds")
    found.add_argument("--bodies", nargs="+", default=["bare", "multipart"], choices=["bare", "multipart"])
    found.add_argument("--rounds", type=int, default=4, help="pairs of measurements for each row (default: 4)")
    found.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default: 5)")
    found.add_argument("--connections", type=int, default=4, help="for each worker (default: 4)")
    found.add_argument(
        "--batch", type=int, default=4, help="HUSH_BATCH: 1 shows what the server adds to the pipeline (default: 4)"
    )
    return found.parse_args()


def main() -> None:
    """Measures, prints the table, writes the JSON."""
    options = parse()
    os.environ.update(dict(pair.split("=", 1) for pair in runpy.run_path(str(ROOT / "gunicorn_conf.py"))["raw_env"]))
    machine = description()
    cases = [(clip, form) for clip in options.clips for form in options.bodies]
    cores = str(machine["cores"])
    with (
        tempfile.TemporaryDirectory() as folder,
        start_gunicorn(Path(folder), HUSH_WORKERS=cores, HUSH_BATCH=str(options.batch)) as server,
    ):
        rows = [measure(server, options, clip, form) for clip, form in tqdm(cases, unit="row")]
    print(table(rows))
    write(options, "efficiency", machine, {"model": options.model, "rows": rows}, lambda axes: draw(rows, axes))


if __name__ == "__main__":
    main()
