"""What an added worker costs is its private memory (USS): the pages it shares are there already. PSS (proportional set
size), which counts a page that n processes share as an n-th part of it, adds up to what the service takes. Both are
read while requests are being answered, and once more when the server has rested for as long as it takes to trim. Each
allocator setting gets a server of its own and the same requests; CPU time per request is reported too, because an
allocator that gives memory back has to fetch it again.

    make bench BENCH=memory
    python -m benchmarks.memory --requests 2000 --settings default arenas-1 arenas-2 jemalloc
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from matplotlib.axes import Axes
from tqdm import tqdm

from api.memory import TRIM_SECONDS
from benchmarks.efficiency import cpu_seconds
from benchmarks.load import prepared, saturate
from benchmarks.machine import description
from benchmarks.results import parser, write
from tests.api.recordings import encoded, noise
from tests.servers import Server, start_gunicorn

MIB = 2**20
SHAPES = ((8000, 1), (16000, 1), (16000, 1), (44100, 2), (48000, 1))  # Hz, channels
LONGEST = 40.0  # seconds
KINDS = 60  # different recordings
BATCHES = 8  # readings on the way
LIBRARIES = {"jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.2"}
SETTINGS = {
    "default": {},
    "arenas-1": {"MALLOC_ARENA_MAX": "1"},
    "arenas-2": {"MALLOC_ARENA_MAX": "2"},
    # Setting a threshold by hand also ends glibc's raising it with the largest block that was freed.
    "threshold-1M": {"MALLOC_MMAP_THRESHOLD_": str(MIB), "MALLOC_TRIM_THRESHOLD_": str(16 * MIB)},
    "arenas-1-trim": {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": str(16 * MIB)},
    **{name: {"LD_PRELOAD": library} for name, library in LIBRARIES.items()},
}


def mixed_requests() -> list[bytes]:
    """Requests of lengths from 0.2 s to LONGEST, short ones more often, in several shapes and answer formats."""
    generator = np.random.default_rng(7)
    found = []
    for number in range(KINDS):
        rate, channels = SHAPES[number % len(SHAPES)]
        seconds = 0.2 * (LONGEST / 0.2) ** generator.random()
        audio = encoded(noise(seconds, rate, channels, seed=number), rate)
        answer = ("wav", "wav", "flac", "mp3")[number % 4]
        found.append(prepared(f"/predict?format={answer}", audio, "audio/wav"))
    return found


def mean_of_workers(server: Server, kind: str) -> float:
    """Mean "pss" or "uss" of the workers, MiB."""
    return float(np.mean([getattr(worker.memory_full_info(), kind) for worker in server.workers()]) / MIB)


def measure(name: str, environment: dict[str, str], requests: list[bytes], count: int) -> dict[str, Any]:
    """One server under `count` requests; readings of the workers on the way, and at rest."""
    with tempfile.TemporaryDirectory() as folder, start_gunicorn(Path(folder), **environment) as server:
        saturate(server.port, requests[:2], connections=4, seconds=1.0)
        fresh, spent, served = mean_of_workers(server, "uss"), cpu_seconds(server), 0
        at, private, proportional = [], [], []
        for _ in range(BATCHES):
            done = 0
            while done < count // BATCHES:
                done += saturate(server.port, requests, connections=4, seconds=2.0).served
            served += done
            at.append(served)
            private.append(mean_of_workers(server, "uss"))
            proportional.append(mean_of_workers(server, "pss"))
        cpu = 1000 * (cpu_seconds(server) - spent) / served
        time.sleep(3 * TRIM_SECONDS)
        at_rest = {kind: round(mean_of_workers(server, kind), 1) for kind in ("uss", "pss")}
        master = psutil.Process(server.process.pid).memory_full_info().pss / MIB
    slope = np.polyfit(at[1:], private[1:], 1)[0]
    return {
        "setting": name,
        "environment": environment,
        "requests": served,
        "requests_at": at,
        "worker_uss_fresh_mib": round(fresh, 1),
        "worker_uss_mib": [round(value, 1) for value in private],
        "worker_pss_mib": [round(value, 1) for value in proportional],
        "worker_at_rest_mib": at_rest,
        "slope_mib_per_1000": round(1000 * slope, 2),
        "master_pss_mib": round(master, 1),
        "cpu_ms_per_request": round(cpu, 2),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen."""
    lines = ["setting         worker's USS, MiB: fresh  highest   last  at rest   per 1000  master PSS  CPU ms/request"]
    lines += [
        f"{row['setting']:15} {row['worker_uss_fresh_mib']:25.1f} {max(row['worker_uss_mib']):8.1f} "
        f"{row['worker_uss_mib'][-1]:6.1f} {row['worker_at_rest_mib']['uss']:8.1f} {row['slope_mib_per_1000']:10.2f} "
        f"{row['master_pss_mib']:11.1f} {row['cpu_ms_per_request']:15.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], axes: Axes) -> None:
    """Private memory of a worker against requests."""
    for row in rows:
        axes.plot(row["requests_at"], row["worker_uss_mib"], marker="o", label=row["setting"])
    axes.set(xlabel="requests", ylabel="MiB", title="What an added worker costs, under load", ylim=(0, None))
    axes.legend()


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--requests", type=int, default=2000, help="to each server (default: 2000)")
    found.add_argument("--settings", nargs="+", default=["default"], choices=list(SETTINGS), help="of the allocator")
    return found.parse_args()


def main() -> None:
    """Measures, prints the table, writes the JSON."""
    options = parse()
    machine = description()
    requests = mixed_requests()
    rows = []
    for name in tqdm(options.settings, unit="server"):
        rows.append(measure(name, SETTINGS[name], requests, options.requests))
        tqdm.write(table(rows))  # what is known so far
    write(options, "memory", machine, {"rows": rows}, table(rows), lambda axes: draw(rows, axes))


if __name__ == "__main__":
    main()
