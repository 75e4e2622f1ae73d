"""What a stack costs a month: `python -m terraform.cost [--prices FILE] [--speed X] [--busy Y] [--transfer]`.

The prices are assumptions: list prices of one region (us-east-1) as their author remembered them, without taxes,
discounts or a guarantee. Put your own into a copy of prices.csv. `--speed` is what one instance does at full load,
hours of audio an hour, measured with benchmarks/ on your instance type; `--busy` is the mean share of it that is used.
"""

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

HOURS = 730  # of a month
PRICES = Path(__file__).with_name("prices.csv")
WAV_GB_PER_HOUR = 16_000 * 2 * 3600 / 1e9  # 16-bit mono at 16 kHz, one way
CLIP_SECONDS = 30  # length of a recording, for the number of requests
LOG_BYTES = 700  # nginx's line, the balancer's and the application's of one request


@dataclass(frozen=True)
class Size:
    """A stack: its name, mean number of instances, zones, and options."""

    name: str
    instances: int
    zones: int = 2
    egress: str = "endpoints"
    public: bool = True
    firewall: bool = True
    jobs: bool = False


SIZES = (
    Size("least: internal, NAT, no firewall", 2, egress="nat", public=False, firewall=False),
    Size("defaults: internal, endpoints", 2, public=False),
    Size("public, 2 instances", 2),
    Size("public, 6 instances, jobs", 6, jobs=True),
    Size("public, 20 instances, 3 zones, jobs", 20, zones=3, jobs=True),
)
ENDPOINTS = 6  # interface endpoints of modules/network
ALARMS = 7  # of one fleet and the balancer
RULES = 4  # rate and three groups of managed rules
VOLUME_GB = 20


def read_prices(file: Path) -> dict[str, float]:
    """Item -> USD; raises ValueError on a price that is no number."""
    with file.open(newline="", encoding="utf-8") as lines:
        return {row["item"]: float(row["price"]) for row in csv.DictReader(lines)}


def network(size: Size, price: dict[str, float]) -> float:
    """USD a month for the way out: endpoints in every zone, or NAT gateways with their addresses."""
    if size.egress == "endpoints":
        return HOURS * ENDPOINTS * size.zones * price["endpoint_hour"]
    gateways = 1 if size.egress == "nat" else size.zones
    return HOURS * gateways * (price["nat_hour"] + price["address_hour"])


def fixed(size: Size, price: dict[str, float]) -> float:
    """USD a month that do not depend on the use: balancer, firewall, key, alarms, network, Redis."""
    balancer = HOURS * (price["balancer_hour"] + (size.zones * price["address_hour"] if size.public else 0))
    firewall = price["waf_month"] + RULES * price["waf_rule_month"] if size.firewall else 0.0
    watch = ALARMS * price["alarm_month"] + price["dashboard_month"] + price["key_month"]
    redis = 2 * HOURS * price["redis_hour"] if size.jobs else 0.0
    return balancer + firewall + watch + redis + network(size, price)


def instances(size: Size, price: dict[str, float]) -> float:
    """USD a month for the instances and their volumes."""
    return size.instances * (HOURS * price["instance_hour"] + VOLUME_GB * price["volume_gb_month"])


def use(size: Size, hours: float, price: dict[str, float], *, transfer: bool) -> float:
    """USD a month that `hours` of audio cost: capacity units, firewall requests, logs, traffic to the internet."""
    requests = hours * 3600 / CLIP_SECONDS
    gigabytes = 2 * hours * WAV_GB_PER_HOUR
    firewall = requests / 1e6 * price["waf_million_requests"] if size.firewall else 0.0
    logs = requests * LOG_BYTES / 1e9 * price["log_gb"]
    outward = gigabytes / 2 * price["transfer_gb"] if transfer and size.public else 0.0
    return gigabytes * price["balancer_unit_hour"] + firewall + logs + outward


def table(price: dict[str, float], *, speed: float, busy: float, transfer: bool) -> str:
    """The sizes as Markdown."""
    lines = [
        "| stack | instances | everything else | hours of audio | use | USD a month | USD per 1,000 hours |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for size in SIZES:
        hours = size.instances * HOURS * speed * busy
        parts = [instances(size, price), fixed(size, price), use(size, hours, price, transfer=transfer)]
        total = sum(parts)
        lines.append(
            f"| {size.name} | {parts[0]:,.0f} | {parts[1]:,.0f} | {hours:,.0f} | {parts[2]:,.0f} "
            f"| {total:,.0f} | {1000 * total / hours:.2f} |"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m terraform.cost", description="What a stack costs a month.")
    parser.add_argument("--prices", type=Path, default=PRICES, help="CSV of prices; default terraform/prices.csv")
    parser.add_argument("--speed", type=float, default=200, help="hours of audio an hour of one instance; default 200")
    parser.add_argument("--busy", type=float, default=0.3, help="mean share of that in use, 0 to 1; default 0.3")
    parser.add_argument("--transfer", action="store_true", help="count the answers as traffic to the internet")
    chosen = parser.parse_args(arguments)
    print(table(read_prices(chosen.prices), speed=chosen.speed, busy=chosen.busy, transfer=chosen.transfer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
