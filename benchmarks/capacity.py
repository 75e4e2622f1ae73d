"""From measured service times to instances and cost, and what auto-scaling does to changing load.

A recording costs `--fixed-ms` of CPU and `--audio-ms` for each second of audio; both come from two rows of
results/efficiency.json unless given. Prices are those of terraform/prices.csv (assumptions, see docs/capacity.md).

    make bench BENCH=capacity
    python -m benchmarks.capacity --cores 2 --clip 30
"""

import argparse
import json
import math
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from benchmarks.autoscaling import Policy, simulate
from benchmarks.machine import description
from benchmarks.results import parser, write
from terraform.cost import HOURS, PRICES, Size, fixed, instances, read_prices, use

DAILY_HOURS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
PEAK = 3.0  # the busiest hour against the mean of the day
DAY = 86400
LOADS = ("daily", "bursty", "step")
NAME_OF_SIZE = "public"


def service_times(file: Path) -> tuple[float, float]:
    """Milliseconds of CPU for a recording, and for each second of audio in it, from two lengths of the benchmark."""
    rows = [row for row in json.loads(file.read_text(encoding="utf-8"))["rows"] if row["body"] == "bare"]
    short, long = min(rows, key=lambda row: row["clip_s"]), max(rows, key=lambda row: row["clip_s"])
    costs = [statistics.median(row["served_ms"]) for row in (short, long)]
    audio = (costs[1] - costs[0]) / (long["clip_s"] - short["clip_s"])
    return max(0.0, costs[0] - audio * short["clip_s"]), audio


def load_of(kind: str, mean: float) -> list[float]:
    """Seconds of audio arriving in each second of a day, `mean` on average (the step: of the second half)."""
    seconds = np.arange(DAY)
    if kind == "daily":
        shape = 1 + (PEAK - 1) / PEAK * np.sin(2 * np.pi * (seconds / DAY - 0.25))
    elif kind == "bursty":  # twice an hour, for five minutes, three times the rest
        shape = np.where(seconds % 1800 < 300, 3.0, 1.0) / (8 / 6)
    else:
        shape = np.where(seconds < DAY // 2, 0.25, 1.0)
    arrivals = np.random.default_rng(1).poisson(np.maximum(shape, 0) * mean * 10) / 10  # not smooth
    return [float(value) for value in arrivals]


def plan(daily: float, speed: float, prices: dict[str, float], policy: Policy) -> dict[str, Any]:
    """Instances and cost for so many recorded hours a day."""
    mean = daily / 24 / speed / policy.target
    peak = max(policy.minimum, math.ceil(mean * PEAK))
    average = max(float(policy.minimum), mean)
    size = Size(NAME_OF_SIZE, round(average), zones=2 if peak < 20 else 3)
    exact = average / max(size.instances, 1)
    hours = daily * HOURS / 24
    total = exact * instances(size, prices) + fixed(size, prices) + use(size, hours, prices, transfer=False)
    return {
        "hours_a_day": daily,
        "instances_mean": round(average, 1),
        "instances_at_peak": peak,
        "usd_a_month": round(total),
        "usd_per_1000_hours": round(1000 * total / hours, 2),
    }


def simulated(kind: str, instances_mean: float, start: int, speed: float) -> dict[str, Any]:
    """One load under one policy; start-up times are those of the image with and without a warm pool."""
    policy = Policy(start_seconds=start)
    outcome = simulate(load_of(kind, instances_mean * speed * policy.target), speed, policy)
    return {
        "load": kind,
        "start_s": start,
        **asdict(outcome),
        "refusal_rate": outcome.refusal_rate,
    }


def tables(plans: list[dict[str, Any]], runs: list[dict[str, Any]]) -> str:
    """Both, as Markdown."""
    lines = [
        "| hours of audio a day | instances, mean | at the peak | USD a month | USD per 1,000 hours |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['hours_a_day']:,} | {row['instances_mean']:,.1f} | {row['instances_at_peak']:,} "
        f"| {row['usd_a_month']:,} | {row['usd_per_1000_hours']:,.2f} |"
        for row in plans
    ]
    lines += [
        "",
        "| load | start of an instance | refused | longest spell of refusals | most instances | instance hours a day |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in runs:
        spell = "none" if row["scale_out_delay"] is None else f"{row['scale_out_delay']:.0f} s"
        lines.append(
            f"| {row['load']} | {row['start_s']} s | {100 * row['refusal_rate']:.2f} % | {spell} "
            f"| {row['most_instances']} | {row['instance_hours']:.0f} |"
        )
    return "\n".join(lines)


def draw(plans: list[dict[str, Any]], axes: Axes) -> None:
    """Cost against volume."""
    axes.loglog([row["hours_a_day"] for row in plans], [row["usd_per_1000_hours"] for row in plans], marker="o")
    axes.set(xlabel="hours of audio a day", ylabel="USD per 1,000 hours", title="Cost, at assumed prices")


def parse() -> argparse.Namespace:
    """The command line."""
    found = parser(__doc__)
    found.add_argument("--fixed-ms", type=float, help="CPU for a recording (default: measured)")
    found.add_argument("--audio-ms", type=float, help="CPU for a second of audio (default: measured)")
    found.add_argument("--cores", type=int, default=2, help="of an instance (default: 2)")
    found.add_argument("--clip", type=float, default=30.0, help="mean length of a recording, seconds (default: 30)")
    found.add_argument("--instances", type=float, default=10.0, help="mean of the simulated group (default: 10)")
    found.add_argument("--starts", type=int, nargs="+", default=[30, 90], help="seconds an instance takes to start")
    found.add_argument("--prices", type=Path, default=PRICES, help="CSV of prices")
    return found.parse_args()


def main() -> None:
    """Computes, prints the tables, writes JSON and plot."""
    options = parse()
    machine = description()
    if options.fixed_ms is None or options.audio_ms is None:
        options.fixed_ms, options.audio_ms = service_times(options.results / "efficiency.json")
    cpu = (options.fixed_ms + options.audio_ms * options.clip) / 1000
    speed = options.cores * options.clip / cpu
    prices, policy = read_prices(options.prices), Policy()
    plans = [plan(daily, speed, prices, policy) for daily in DAILY_HOURS]
    runs = [simulated(kind, options.instances, start, speed) for kind in LOADS for start in options.starts]
    found = (
        f"a recording of {options.clip:g} s: {1000 * cpu:.1f} ms of CPU; an instance of {options.cores} cores: "
        f"{speed:.0f} x real time\n\n{tables(plans, runs)}"
    )
    print(found)
    report = {"speed": round(speed, 1), "plans": plans, "simulated": runs}
    write(options, "capacity", machine, report, found, lambda axes: draw(plans, axes))


if __name__ == "__main__":
    main()
