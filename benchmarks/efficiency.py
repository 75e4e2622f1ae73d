"""How much of what the server spends is the pipeline: CPU time for a second of audio, served against in-process.

The same pipeline (decode, enhance, encode) runs twice on the same machine, alternating: in as many plain processes as
the server has workers, and behind the server (master, workers, with `--nginx` nginx too) under closed-loop load. CPU
time is compared, not throughput, so that other work on the machine disturbs both sides alike; the ratio is what counts.

The share of each stage is its CPU time in the plain processes; what the server spends beyond them is HTTP (accept,
route, parse, send) and everything that sharing the cores costs, less what passes made together save: with `--batch 1`
they are not. "parse" and "queue" are how long a request took there, waiting included, as `Server-Timing` says.

    make bench BENCH=efficiency
    python -m benchmarks.efficiency --model recurrent --clips 5 30 --rounds 5
    python -m benchmarks.efficiency --nginx        the real nginx in front, over a unix socket, counted as well
"""

import argparse
import io
import os
import runpy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
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
from inference.resample import StreamResampler
from inference.spectral import Analysis, Synthesis
from inference.store import Model, load_store
from tests.nginx.gateway import gateway
from tests.servers import Server, start_gunicorn, wait_for

ROOT = Path(__file__).resolve().parent.parent
RATE = 16000  # Hz
STAGES = ("decode", "enhance", "encode")
WAITS = ("parse", "queue")
PARTS = {  # of "enhance", and where it is spent
    "resample": ((StreamResampler, "feed"), (StreamResampler, "flush")),
    "STFT": ((Analysis, "feed"), (Synthesis, "feed")),
    "network": ((Model, "forward"),),
}
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
    stages = {stage: statistics.mean(one.stages[stage] for one in spent) for stage in (*STAGES, *PARTS)}
    return Spent(statistics.mean(one.cpu for one in spent), stages)


def in_process(audio: bytes, model_key: str, seconds: float) -> Spent:
    """Runs the pipeline for so long, in this process."""
    pipeline = loaded_pipeline(model_key)
    parts = StageClock(time.thread_time)
    parts.seconds = dict.fromkeys(PARTS, 0.0)
    for part, methods in PARTS.items():
        for kind, name in methods:
            setattr(kind, name, _timed(getattr(kind, name), parts, part))
    for _ in range(3):
        pipeline(audio)
    parts.seconds = dict.fromkeys(PARTS, 0.0)
    clocks, until, start = [], time.monotonic() + seconds, time.process_time()
    while time.monotonic() < until:
        clocks.append(pipeline(audio))
    cpu = (time.process_time() - start) / len(clocks)
    stages = {stage: statistics.median(clock.seconds[stage] for clock in clocks) for stage in STAGES}
    return Spent(cpu, stages | {part: parts.seconds[part] / len(clocks) for part in PARTS})


def _timed(method: Callable[..., Any], clock: StageClock, stage: str) -> Callable[..., Any]:
    @wraps(method)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with clock.stage(stage):
            return method(*args, **kwargs)

    return timed


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


@dataclass(frozen=True)
class Service:
    """What the client talks to, and all that computes for it."""

    port: int
    server: Server
    front: psutil.Process | None = None  # nginx's master

    def cpu_seconds(self) -> float:
        """What all processes have spent so far."""
        fronts = [] if self.front is None else [self.front, *self.front.children()]
        return cpu_seconds(self.server) + sum(sum(process.cpu_times()[:2]) for process in fronts)


@contextmanager
def service(folder: Path, *, nginx: bool, **settings: str) -> Iterator[Service]:
    """gunicorn, with `nginx` behind the real nginx on a unix socket, which has a worker for each of gunicorn's."""
    if not nginx:
        with start_gunicorn(folder, **settings) as server:
            yield Service(server.port, server)
        return
    with tempfile.TemporaryDirectory(prefix="hush-") as sockets:
        bind = f"unix:{sockets}/gunicorn.sock"
        with (
            start_gunicorn(folder, HUSH_BIND=bind, HUSH_TRUSTED_PROXIES="1", **settings) as server,
            gateway(folder, bind, workers=settings["HUSH_WORKERS"]) as front,
        ):
            wait_for(lambda: requests.get(f"{front.url}/readyz", timeout=20).status_code == 200, 60, "readiness")
            yield Service(front.port, server, psutil.Process(front.pid))


def served_cost(service: Service, request: bytes, connections: int, seconds: float) -> tuple[float, list[str]]:
    """CPU seconds of the service for one answer, and all `Server-Timing`; RuntimeError when an answer is no 200."""
    before = service.cpu_seconds()
    outcome = saturate(service.port, [request], connections=connections, seconds=seconds)
    if set(outcome.statuses) != {200}:
        raise RuntimeError(f"not every answer was a 200: {dict(outcome.statuses)}")
    return (service.cpu_seconds() - before) / outcome.served, outcome.timings


def waits(timings: list[str]) -> dict[str, float]:
    """Median ms of what a request waits for."""
    found = (dict(stage.split(";dur=") for stage in timing.split(", ")) for timing in timings)
    each = [{stage: float(stages[stage]) for stage in WAITS} for stages in found]
    return {stage: round(statistics.median(one[stage] for one in each), 2) for stage in WAITS}


def measure(service: Service, options: argparse.Namespace, clip: float, form: str) -> dict[str, Any]:
    """One row: the two costs in turn, their ratio, and the share of each stage."""
    audio = recording(clip)
    body, content_type = in_form(audio) if form == "multipart" else (audio, "audio/wav")
    request = prepared(f"/predict?model={options.model}", body, content_type)
    processes = len(service.server.workers())
    saturate(service.port, [request], connections=2 * processes, seconds=1.0)
    plain, served, timings = [], [], []
    for _ in range(options.rounds):
        plain.append(plain_cost(audio, options.model, processes, options.seconds))
        cost, found = served_cost(service, request, options.connections * processes, options.seconds)
        served.append(cost)
        timings += found
    ratios = [a.cpu / b for a, b in zip(plain, served, strict=True)]
    stages = {stage: statistics.median(one.stages[stage] for one in plain) for stage in (*STAGES, *PARTS)}
    stages["http"] = statistics.median(served) - sum(stages[stage] for stage in STAGES)
    return {
        "clip_s": clip,
        "body": form,
        "plain_ms": [round(1000 * one.cpu, 3) for one in plain],
        "served_ms": [round(1000 * cost, 3) for cost in served],
        "ratio": round(statistics.median(ratios), 4),
        "ratio_lowest": round(min(ratios), 4),
        "ratio_highest": round(max(ratios), 4),
        "stages_ms": {stage: round(1000 * cost, 3) for stage, cost in stages.items()},
        "waits_ms": waits(timings),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen; milliseconds of CPU for one clip."""
    names = "decode  enhance (resample  STFT network)  encode    HTTP   waiting: parse   queue"
    lines = ["  clip body       plain ms  served ms  ratio (lowest-highest)  ms: " + names]
    for row in rows:
        costs = f"{statistics.median(row['plain_ms']):9.2f}{statistics.median(row['served_ms']):11.2f}"
        ratio = f"{row['ratio']:.3f} ({row['ratio_lowest']:.3f}-{row['ratio_highest']:.3f})"
        decode, enhance, encode, *parts, http = row["stages_ms"].values()
        resample, stft, network = parts
        shares = f"{decode:6.2f} {enhance:8.2f} ({resample:8.2f} {stft:5.2f} {network:7.2f}) {encode:7.2f} {http:7.2f}"
        parse, queue = row["waits_ms"].values()
        lines.append(f"{row['clip_s']:4g} s {row['body']:10}{costs}  {ratio:23}   {shares} {parse:16.2f} {queue:7.2f}")
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
    found.add_argument("--nginx", action="store_true", help="put nginx in front, and count it")
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
        service(Path(folder), nginx=options.nginx, HUSH_WORKERS=cores, HUSH_BATCH=str(options.batch)) as running,
    ):
        rows = [measure(running, options, clip, form) for clip, form in tqdm(cases, unit="row")]
    print(table(rows))
    report = {"model": options.model, "rows": rows}
    write(options, "efficiency", machine, report, table(rows), lambda axes: draw(rows, axes))


if __name__ == "__main__":
    main()
