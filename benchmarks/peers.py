"""The same network, clips and client against FastAPI + uvicorn, LitServe and BentoML.

Each peer runs in an environment of its own under --folder, which sees the packages of this one (the same torch) behind
its own; pip installs what is missing. A peer that cannot be installed or started is left out with the reason. Workers
= cores, one torch thread each. All get the recording as a form, saturated by a closed loop in the same number of
connections; the rounds alternate. Meanwhile another process asks for the peer's health page 20 times a second.

    make bench BENCH=peers
    python -m benchmarks.peers --clip 5 --rounds 3 --only hush fastapi
"""

import argparse
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests
from matplotlib.axes import Axes

from benchmarks.efficiency import recording
from benchmarks.figures import percentile, tree_pss
from benchmarks.load import in_form, prepared, saturate
from benchmarks.machine import description
from benchmarks.results import parser, write
from benchmarks.watch import health_watched
from tests.servers import ROOT, environment, start_gunicorn

START_SECONDS = 120.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Peer:
    """Packages for pip, the command from port and workers, and the path of its health page."""

    packages: tuple[str, ...]
    command: Callable[[int, int], list[str]]
    health: str


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int
    health: str
    process: psutil.Process
    version: str


PEERS = {
    "fastapi": Peer(
        ("fastapi", "uvicorn[standard]", "python-multipart"),
        lambda port, workers: [
            "-m", "uvicorn", "benchmarks.peer_servers.fastapi_app:app", "--port", str(port), "--workers", str(workers),
            "--log-level", "warning", "--no-access-log",
        ],
        "/health",
    ),
    "litserve": Peer(
        ("litserve", "python-multipart"),
        lambda port, workers: ["-m", "benchmarks.peer_servers.litserve_app", str(port), str(workers)],
        "/health",
    ),
    "bentoml": Peer(
        ("bentoml",),
        lambda port, workers: [
            "-m", "bentoml", "serve", "benchmarks.peer_servers.bentoml_app:Denoiser", "--port", str(port),
            "--host", "127.0.0.1",
        ],
        "/healthz",
    ),
}  # fmt: skip


class Unavailable(Exception):
    """A peer that cannot be measured here, and why."""


def installed(name: str, peer: Peer, folder: Path) -> Path:
    """The Python of the peer's environment; raises `Unavailable`."""
    home = folder / name
    python = home / "bin" / "python"
    if not (home / ".done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        site = next((home / "lib").iterdir()) / "site-packages"
        (site / "zz_project.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *peer.packages]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise Unavailable(f"pip: {outcome.stderr.strip().splitlines()[-1]}")
        (home / ".done").touch()
    return python


def version_of(python: Path, package: str) -> str:
    """As installed there."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def served_by_peer(name: str, folder: Path, workers: int) -> Iterator[Running]:
    """The peer, until the block ends; raises `Unavailable`."""
    peer, port = PEERS[name], free_port()
    python = installed(name, peer, folder)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [str(python), *peer.command(port, workers)],
            cwd=ROOT,
            env={**environment(), **ONE_THREAD, "PEER_WORKERS": str(workers), "BENTOML_DO_NOT_TRACK": "True"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            try:
                _wait(process, port, peer.health)
            except Unavailable as error:
                log.seek(0)
                raise Unavailable(f"{error}: {log.read()[-500:].decode(errors='replace').strip()}") from error
            yield Running(port, peer.health, psutil.Process(process.pid), version_of(python, name))
        finally:
            _end(process)


@contextmanager
def served_by_us(workers: int) -> Iterator[Running]:
    """This service."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_gunicorn(Path(folder), HUSH_WORKERS=str(workers), HUSH_CORES=str(workers)) as server,
    ):
        yield Running(server.port, "/healthz", psutil.Process(server.process.pid), "this tree")


def _wait(process: "subprocess.Popen[bytes]", port: int, health: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(f"it ended with status {process.returncode}")
        try:
            if requests.get(f"http://127.0.0.1:{port}{health}", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise Unavailable(f"not healthy within {START_SECONDS:g} s")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The process and everything it started, and nothing else."""
    everyone = [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
    process.terminate()
    _, left = psutil.wait_procs(everyone, timeout=10)
    for one in left:
        one.kill()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def spent(process: psutil.Process) -> float:
    """CPU seconds of the tree so far."""
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


def measure(name: str, options: argparse.Namespace, request: bytes, workers: int) -> dict[str, Any]:
    """One reading."""
    served = served_by_us(workers) if name == "hush" else served_by_peer(name, options.folder, workers)
    with served as server:
        saturate(server.port, [request], connections=4 * workers, seconds=2.0)
        before = spent(server.process)
        with health_watched(server.port, server.health) as health:
            outcome = saturate(
                server.port, [request], connections=options.connections * workers, seconds=options.seconds
            )
        if set(outcome.statuses) != {200}:
            raise Unavailable(f"not every answer was a 200: {dict(outcome.statuses)}")
        taken = [1000 * value for value in outcome.seconds]
        return {
            "server": name,
            "version": server.version,
            "requests_per_s": outcome.served / options.seconds,
            "cpu_ms_per_request": 1000 * (spent(server.process) - before) / outcome.served,
            **{f"p{p}_ms": percentile(taken, p) for p in (50, 95, 99)},
            "health_p99_ms": percentile(health, 99),
            "mib_per_worker": tree_pss(server.process) / workers,
        }


def medians(readings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each server."""
    rows = []
    for name in dict.fromkeys(reading["server"] for reading in readings):
        mine = [reading for reading in readings if reading["server"] == name]
        numbers = {key: round(statistics.median(one[key] for one in mine), 1) for key in list(mine[0])[2:]}
        spread = [round(pick(one["requests_per_s"] for one in mine), 1) for pick in (min, max)]
        rows.append({"server": name, "version": mine[0]["version"], **numbers, "requests_per_s_spread": spread})
    return rows


def ratios(rows: list[dict[str, Any]]) -> str:
    """Hush against the others; nothing where one side is missing."""
    hush = [row for row in rows if row["server"] == "hush"]
    others = [row for row in rows if row["server"] != "hush"]
    if not hush or not others:
        return ""
    rates, waits = ([row[key] for row in others] for key in ("requests_per_s", "p99_ms"))
    rate, wait = hush[0]["requests_per_s"], hush[0]["p99_ms"]
    return (
        f"\nHush against the best of the others, and their median: {rate / max(rates):.2f} and "
        f"{rate / statistics.median(rates):.2f} x the requests a second, "
        f"{wait / min(waits):.2f} and {wait / statistics.median(waits):.2f} x the p99"
    )


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen."""
    lines = [
        "server    version    requests/s (lowest-highest)  CPU ms   p50    p95    p99  health p99 ms  MiB/worker (PSS)"
    ]
    lines += [
        f"{row['server']:9} {row['version']:10} {row['requests_per_s']:10.1f} {_spread(row):17} "
        f"{row['cpu_ms_per_request']:6.1f} {row['p50_ms']:5.0f} {row['p95_ms']:6.0f} {row['p99_ms']:6.0f} "
        f"{row['health_p99_ms']:14.0f} {row['mib_per_worker']:17.0f}"
        for row in rows
    ]
    return "\n".join(lines) + ratios(rows)


def _spread(row: dict[str, Any]) -> str:
    lowest, highest = row["requests_per_s_spread"]
    return f"({lowest:.1f}-{highest:.1f})"


def draw(rows: list[dict[str, Any]], axes: Axes) -> None:
    """Throughput, with the 99th percentile written on it."""
    bars = axes.bar([row["server"] for row in rows], [row["requests_per_s"] for row in rows])
    axes.bar_label(bars, [f"p99 {row['p99_ms']:.0f} ms" for row in rows])
    axes.set(ylabel="requests a second", title="The same network behind four servers")


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--clip", type=float, default=5.0, help="seconds of audio in a request (default: 5)")
    found.add_argument("--seconds", type=float, default=8.0, help="of each reading (default: 8)")
    found.add_argument("--rounds", type=int, default=3, help="readings of each, alternating (default: 3)")
    found.add_argument("--connections", type=int, default=4, help="for each worker (default: 4)")
    found.add_argument("--only", nargs="+", default=["hush", *PEERS], choices=["hush", *PEERS])
    found.add_argument("--folder", type=Path, default=ROOT / ".run" / "peers", help="of the peers' environments")
    return found.parse_args()


def main() -> None:
    """Measures, prints the table, writes JSON and plot."""
    options = parse()
    machine = description()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    body, content_type = in_form(recording(options.clip))
    request = prepared("/predict", body, content_type)
    readings, left_out = [], {}
    for _ in range(options.rounds):
        for name in options.only:
            if name not in left_out:
                try:
                    readings.append(measure(name, options, request, machine["cores"]))
                except (Unavailable, OSError) as error:
                    left_out[name] = str(error)
    rows = medians(readings)
    print(table(rows))
    for name, reason in left_out.items():
        print(f"{name} was left out: {reason}", file=sys.stderr)
    report = {"rows": rows, "readings": readings, "left_out": left_out}
    write(options, "peers", machine, report, table(rows), lambda axes: draw(rows, axes))


if __name__ == "__main__":
    main()
