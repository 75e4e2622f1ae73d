"""What happens past capacity: accepted, refused and failed requests, and how long each kind of answer takes.

First the capacity is measured with a closed loop of a few connections, and with one that fills every slot; then
requests arrive at 0.5, 1, 2 and 4 times the former rate, at random instants that do not wait for answers (open loop,
Poisson). All of that in turn for some rounds: counts are sums, the rest are medians of the rounds. The client computes
on the same cores: how many of them it and the server used is told. Latencies count from the sending of a request;
/healthz is asked 20 times a second by another process.

    make bench BENCH=overload
    python -m benchmarks.overload --clip 10 --seconds 6 --rounds 3 --factors 0.5 1 2 4
"""

import argparse
import socket
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from tqdm import tqdm

from benchmarks.efficiency import cpu_seconds, recording
from benchmarks.figures import percentile, shown
from benchmarks.load import exchange, prepared, saturate
from benchmarks.machine import description
from benchmarks.results import parser, write
from benchmarks.watch import health_watched
from tests.servers import Server, start_gunicorn

CONNECTIONS = 96  # threads of the client
FEW, MANY = 2, 8  # connections of a closed loop for each core; the latter fill the slots


@dataclass
class Arrivals:
    """What became of the requests; milliseconds by status, 0 for a connection that broke."""

    taken: dict[int, list[float]] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)  # ms that a request was sent after it was due

    @property
    def statuses(self) -> Counter[int]:
        """How many of each status."""
        return Counter({status: len(values) for status, values in self.taken.items()})


class Client:
    """Sends one request on the connection of the calling thread."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self._mine = threading.local()
        self._guard = threading.Lock()
        self.found = Arrivals()

    def send(self, due: float) -> None:
        """At once, whatever time it was due."""
        late = 1000 * (time.monotonic() - due)
        start = time.monotonic()
        try:
            status = self._exchange()
        except OSError:
            status, self._mine.connection = 0, None
        with self._guard:
            self.found.taken.setdefault(status, []).append(1000 * (time.monotonic() - start))
            self.found.late.append(late)

    def _exchange(self) -> int:
        if getattr(self._mine, "connection", None) is None:
            self._mine.connection = socket.create_connection(("127.0.0.1", self._port), timeout=120)
        return exchange(self._mine.connection, self._request)[0]


def open_loop(port: int, request: bytes, rate: float, seconds: float) -> Arrivals:
    """`rate` requests a second on average for so long; returns when all are answered."""
    client = Client(port, request)
    gaps = np.random.default_rng(3).exponential(1 / rate, round(rate * seconds))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        due = time.monotonic()
        for gap in gaps:
            due += gap
            time.sleep(max(0.0, due - time.monotonic()))
            pool.submit(client.send, due)
    return client.found


def measure(server: Server, request: bytes, factor: float, capacity: float, seconds: float) -> dict[str, Any]:
    """One row of one round."""
    with health_watched(server.port) as health:
        start, spent, own = time.monotonic(), cpu_seconds(server), time.process_time()
        found = open_loop(server.port, request, factor * capacity, seconds)
        passed, spent, own = time.monotonic() - start, cpu_seconds(server) - spent, time.process_time() - own
    counts = found.statuses
    return {
        "factor": factor,
        "offered_per_s": factor * capacity,
        "accepted": counts[200],
        "refused": counts[503],
        "failed": counts.total() - counts[200] - counts[503],
        "accepted_per_s": counts[200] / passed,
        "of_capacity": counts[200] / passed / capacity,
        "server_cores": spent / passed,
        "client_cores": own / passed,
        "ms_200": [percentile(found.taken.get(200, []), p) for p in (50, 95, 99)],
        "ms_503": [percentile(found.taken.get(503, []), p) for p in (50, 95, 99)],
        "ms_health": [percentile(health, p) for p in (50, 95, 99)],
        "client_late_ms_p99": percentile(found.late, 99),
    }


def one_round(server: Server, request: bytes, cores: int, options: argparse.Namespace) -> dict[str, Any]:
    """Requests a second in both closed loops, and the rows."""
    few, many = (
        saturate(server.port, [request], connections=each * cores, seconds=options.seconds).served / options.seconds
        for each in (FEW, MANY)
    )
    rows = [measure(server, request, factor, few, options.seconds) for factor in options.factors]
    return {"capacity_per_s": few, "peak_per_s": many, "rows": rows}


def together(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums and medians of the rounds; `of_capacity` is the median, the lowest and the highest."""
    rows = [_merged(rows) for rows in zip(*(each["rows"] for each in rounds), strict=True)]
    return {name: _median([each[name] for each in rounds]) for name in ("capacity_per_s", "peak_per_s")} | {
        "rows": rows
    }


def _merged(rows: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name in ("accepted", "refused", "failed"):
            merged[name] = sum(values)
        elif name.startswith("ms_"):
            merged[name] = [
                _median([value for value in each if value is not None]) for each in zip(*values, strict=True)
            ]
        else:
            merged[name] = _median([value for value in values if value is not None])
    shares = [row["of_capacity"] for row in rows]
    merged["of_capacity"] = [round(value, 3) for value in (median(shares), min(shares), max(shares))]
    return merged


def _median(values: list[float]) -> float | None:
    return round(median(values), 2) if values else None


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen; ms are p50/p99."""
    lines = [
        "factor offered/s accepted refused failed accepted/s of capacity (lowest-highest)  server client   "
        "200 p50/p99 ms   503 p50/p99 ms  healthz p50/p99 ms"
    ]
    for row in rows:
        times = [f"{shown(row[name][0]):>7}/{shown(row[name][2]):>7}" for name in ("ms_200", "ms_503", "ms_health")]
        share = "{:11.2f} ({:.2f}-{:.2f})        ".format(*row["of_capacity"])
        lines.append(
            f"{row['factor']:6g} {row['offered_per_s']:9.1f} {row['accepted']:8} {row['refused']:7} {row['failed']:6} "
            f"{row['accepted_per_s']:10.2f} {share}  {row['server_cores']:6.2f} {row['client_cores']:6.2f}  "
            + "  ".join(times)
        )
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], axes: Axes) -> None:
    """Accepted against offered."""
    offered = [row["offered_per_s"] for row in rows]
    axes.plot(offered, [row["accepted_per_s"] for row in rows], marker="o", label="accepted")
    axes.plot(
        offered,
        [row["refused"] / max(row["accepted"] + row["refused"], 1) * row["offered_per_s"] for row in rows],
        marker="x",
        label="refused",
    )
    axes.set(xlabel="requests offered a second", ylabel="a second", title="Past capacity")
    axes.legend()


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--clip", type=float, default=10.0, help="seconds of audio in a request (default: 10)")
    found.add_argument("--seconds", type=float, default=6.0, help="of each rate in a round (default: 6)")
    found.add_argument("--rounds", type=int, default=3, help="(default: 3)")
    found.add_argument("--factors", type=float, nargs="+", default=[0.5, 1, 2, 4], help="of the capacity")
    return found.parse_args()


def main() -> None:
    """Measures, prints the table, writes JSON and plot."""
    options = parse()
    machine = description()
    request = prepared("/predict", recording(options.clip), "audio/wav")
    cores = int(machine["cores"])
    with (
        tempfile.TemporaryDirectory() as folder,
        start_gunicorn(Path(folder), HUSH_WORKERS=str(cores), HUSH_CORES=str(cores)) as server,
    ):
        saturate(server.port, [request], connections=FEW * cores, seconds=1.0)
        rounds = [one_round(server, request, cores, options) for _ in tqdm(range(options.rounds), unit="round")]
    report = together(rounds)
    found = (
        f"closed loop, requests/s of {options.clip:g} s: {report['capacity_per_s']} with {FEW * cores} connections "
        f"(the capacity), {report['peak_per_s']} with {MANY * cores}\n{table(report['rows'])}"
    )
    print(found)
    write(options, "overload", machine, report, found, lambda axes: draw(report["rows"], axes))


if __name__ == "__main__":
    main()
