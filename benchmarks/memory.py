"""What an added worker costs in memory, and whether it grows: PSS after requests of mixed length, rate and format.

PSS (proportional set size) counts a page that n processes share as an n-th part of it, so the sum over master and
workers is what the service really takes. Each allocator setting gets a server of its own and the same requests; CPU
time per request is reported too, because an allocator that gives memory back has to fetch it again.

    make bench BENCH=memory
    python -m benchmarks.memory --requests 2000 --settings default arenas-1 arenas-2 jemalloc
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tqdm import tqdm

from benchmarks.efficiency import cpu_seconds
from benchmarks.load import prepared, saturate
from benchmarks.machine import description
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


def pss(process: psutil.Process) -> float:
    """MiB."""
    return process.memory_full_info().pss / MIB


def measure(name: str, environment: dict[str, str], requests: list[bytes], count: int) -> dict[str, Any]:
    """One server under `count` requests; readings of the workers' mean PSS on the way."""
    with tempfile.TemporaryDirectory() as folder, start_gunicorn(Path(folder), **environment) as server:
        saturate(server.port, requests[:2], connections=4, seconds=1.0)
        first, spent, served = reading(server), cpu_seconds(server), 0
        readings = []
        for _ in range(BATCHES):
            done = 0
            while done < count // BATCHES:
                done += saturate(server.port, requests, connections=4, seconds=2.0).served
            served += done
            readings.append((served, reading(server)))
        master = pss(psutil.Process(server.process.pid))
        cpu = 1000 * (cpu_seconds(server) - spent) / served
    slope = np.polyfit([count for count, _ in readings[1:]], [worker for _, worker in readings[1:]], 1)[0]
    return {
        "setting": name,
        "environment": environment,
        "requests": served,
        "worker_pss_first_mib": round(first, 1),
        "worker_pss_mib": [round(worker, 1) for _, worker in readings],
        "slope_mib_per_1000": round(1000 * slope, 2),
        "master_pss_mib": round(master, 1),
        "cpu_ms_per_request": round(cpu, 2),
    }


def reading(server: Server) -> float:
    """The workers' mean PSS, MiB."""
    return float(np.mean([pss(worker) for worker in server.workers()]))


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen."""
    lines = ["setting         worker PSS MiB: first  half way   end   per 1000 requests  master   CPU ms/request"]
    for row in rows:
        way = row["worker_pss_mib"]
        lines.append(
            f"{row['setting']:15} {row['worker_pss_first_mib']:20.1f} {way[len(way) // 2]:9.1f} {way[-1]:5.1f} "
            f"{row['slope_mib_per_1000']:16.2f} {row['master_pss_mib']:9.1f} {row['cpu_ms_per_request']:12.2f}"
        )
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="to each server (default: 2000)")
    parser.add_argument("--settings", nargs="+", default=["default"], choices=list(SETTINGS), help="of the allocator")
    parser.add_argument("--output", type=Path, default=Path("runs/memory.json"), help="the JSON (default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    """Measures, prints the table, writes the JSON."""
    options = parse()
    machine = description()
    requests = mixed_requests()
    rows = []
    for name in tqdm(options.settings, unit="server"):
        rows.append(measure(name, SETTINGS[name], requests, options.requests))
        tqdm.write(table(rows))  # what is known so far
    report = {"benchmark": "memory", "machine": machine, "rows": rows}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"written: {options.output}")


if __name__ == "__main__":
    main()
