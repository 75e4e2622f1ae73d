"""What another worker brings: requests and CPU time with 1, 2 ... workers, each with a slot of its own.

make bench BENCH=scaling
python -m benchmarks.scaling --workers 1 2 --clip 10
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import psutil
from matplotlib.axes import Axes

from benchmarks.efficiency import cpu_seconds, recording
from benchmarks.figures import percentile, tree_pss
from benchmarks.load import prepared, saturate
from benchmarks.machine import description
from benchmarks.results import parser, write
from tests.servers import Server, start_gunicorn


def measure(server: Server, workers: int, request: bytes, seconds: float) -> dict[str, Any]:
    """One reading."""
    before = cpu_seconds(server)
    outcome = saturate(server.port, [request], connections=2 * workers, seconds=seconds)
    return {
        "workers": workers,
        "requests_per_s": outcome.served / seconds,
        "cpu_ms_per_request": 1000 * (cpu_seconds(server) - before) / outcome.served,
        "p50_ms": percentile([1000 * value for value in outcome.seconds], 50),
        "p99_ms": percentile([1000 * value for value in outcome.seconds], 99),
        "pss_mib": tree_pss(psutil.Process(server.process.pid)),
    }


def medians(readings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each number of workers."""
    rows = []
    for count in sorted({reading["workers"] for reading in readings}):
        mine = [reading for reading in readings if reading["workers"] == count]
        numbers = {name: round(statistics.median(one[name] for one in mine), 2) for name in readings[0]}
        spread = [round(pick(one["requests_per_s"] for one in mine), 2) for pick in (min, max)]
        rows.append({**numbers, "requests_per_s_spread": spread})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for the screen."""
    lines = ["workers  requests/s (lowest-highest)  CPU ms/request   p50 ms   p99 ms  PSS of all, MiB"]
    for row in rows:
        spread = "({:.2f}-{:.2f})".format(*row["requests_per_s_spread"])
        lines.append(
            f"{row['workers']:7} {row['requests_per_s']:11.2f} {spread:16} {row['cpu_ms_per_request']:15.2f} "
            f"{row['p50_ms']:8.1f} {row['p99_ms']:8.1f} {row['pss_mib']:16.1f}"
        )
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], axes: Axes) -> None:
    """Requests against workers."""
    axes.plot([row["workers"] for row in rows], [row["requests_per_s"] for row in rows], marker="o")
    axes.set(xlabel="workers", ylabel="requests a second", title="Scaling", ylim=(0, None))


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers to try (default: 1 2)")
    found.add_argument("--clip", type=float, default=10.0, help="seconds of audio in a request (default: 10)")
    found.add_argument("--seconds", type=float, default=6.0, help="of each reading (default: 6)")
    found.add_argument("--rounds", type=int, default=3, help="readings of each, alternating (default: 3)")
    return found.parse_args()


def main() -> None:
    """Measures, prints the table, writes JSON and plot."""
    options = parse()
    machine = description()
    request = prepared("/predict", recording(options.clip), "audio/wav")
    readings = []
    for _ in range(options.rounds):
        for workers in options.workers:
            count = str(workers)
            with (
                tempfile.TemporaryDirectory() as folder,
                start_gunicorn(Path(folder), HUSH_WORKERS=count, HUSH_CORES=count) as server,
            ):
                saturate(server.port, [request], connections=2 * workers, seconds=1.0)
                readings.append(measure(server, workers, request, options.seconds))
    rows = medians(readings)
    print(table(rows))
    report = {"rows": rows, "readings": readings}
    write(options, "scaling", machine, report, table(rows), lambda axes: draw(rows, axes))


if __name__ == "__main__":
    main()
