"""Every property of every plan (`-JNAME=VALUE`) with its default: plans and options are made from here."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Property:
    """`-Jname=value` of a plan."""

    name: str
    default: str
    says: str


@dataclass(frozen=True)
class Plan:
    """A test plan: what it is for, its recordings and properties, and its stages.

    A stage is (name, seconds, arrivals a second when it begins, when it ends), each with properties as `${NAME}`.
    """

    says: str
    rows: str
    properties: tuple[Property, ...] = ()
    stages: tuple[tuple[str, str, str, str], ...] = ()


COMMON = (
    Property("host", "127.0.0.1", "Name or address of the server or balancer."),
    Property("port", "8080", "Its port."),
    Property("scheme", "http", "http or https."),
    Property("path", "", "What stands before every path, such as /voice."),
    Property("key", "", "API key, sent as X-API-Key; empty: none is sent."),
    Property("model", "production", "Model that enhances: a key or a label of /models."),
    Property("format", "wav", "Format of the answers: wav, flac, ogg or mp3."),
    Property("recordings", "../.run/jmeter/recordings", "Folder of the recordings; a relative one begins at the plan."),
    Property("timeout_ms", "120000", "How long an answer may take before the client gives up."),
    Property("cached", "false", "true: the same requests again and again, which a cache may answer."),
    Property("latency_factor", "1", "The column within_ms is multiplied by it: above 1 for slow or far servers."),
)

OPEN = (  # of every plan in which clients arrive by a schedule
    Property(
        "warm_up", "10", "Seconds before the first arrival, in which JMeter sends one request and gets up to speed."
    ),
    Property("drain", "60", "Seconds after the last arrival in which answers are waited for; the rest is cut off."),
    Property("seed", "1", "The same seed gives the same moments of arrival; 0 draws one."),
)
RAMP = Property("ramp", "10", "Seconds in which the arrivals grow from nothing.")
STEADY = ("ramp", "${ramp}", "0", "${arrivals}")

PLANS = {
    "smoke": Plan(
        "Every endpoint and every kind of error once, row by row, then a burst that overloads the service.",
        "smoke.csv",
        (
            Property("burst", "100", "Requests sent at once at the end; 0: none."),
            Property("limits", "503", "Statuses that the burst must have met, such as 503,429; or none."),
        ),
    ),
    "load": Plan(
        "Steady arrivals: does the service do what it is sized for?",
        "load.csv",
        (
            Property("arrivals", "2", "Requests a second."),
            RAMP,
            Property("duration", "60", "Seconds of steady arrivals."),
            *OPEN,
        ),
        (STEADY, ("steady", "${duration}", "${arrivals}", "${arrivals}")),
    ),
    "stress": Plan(
        "Arrivals grow step by step until the service breaks: how much does it do, how does it refuse the rest?",
        "load.csv",
        (
            Property("arrivals", "2", "Requests a second in the first step."),
            Property("increase", "2", "Requests a second that each further step adds."),
            Property("steps", "8", "Number of steps."),
            Property("duration", "30", "Seconds of a step."),
            *OPEN,
        ),
    ),
    "spike": Plan(
        "A sudden peak between two quiet stretches: is everything as before when it is over?",
        "load.csv",
        (
            Property("arrivals", "1", "Requests a second before and after the peak."),
            Property("peak", "20", "Requests a second in the peak."),
            Property("duration", "30", "Seconds of each of the three stages; five more after the peak are not judged."),
            *OPEN,
        ),
        (
            ("before", "${duration}", "${arrivals}", "${arrivals}"),
            ("peak", "${duration}", "${peak}", "${peak}"),
            ("recovery", "5", "${arrivals}", "${arrivals}"),
            ("after", "${duration}", "${arrivals}", "${arrivals}"),
        ),
    ),
    "soak": Plan(
        "Steady arrivals for a long time: does anything slowly get worse?",
        "load.csv",
        (
            Property("arrivals", "1", "Requests a second."),
            RAMP,
            Property("duration", "900", "Seconds of each of the four quarters."),
            *OPEN,
        ),
        (STEADY, *((f"quarter{n}", "${duration}", "${arrivals}", "${arrivals}") for n in (1, 2, 3, 4))),
    ),
}


def rows(plan: str) -> Property:
    """The property that names the CSV file of a plan."""
    return Property("rows", PLANS[plan].rows, "CSV file of requests and expected answers; beside the plan.")


def of(plan: str) -> Iterator[Property]:
    """All properties of a plan."""
    yield from COMMON
    yield rows(plan)
    yield from PLANS[plan].properties


def table() -> str:
    """The properties as the table of README.md."""
    plans: dict[Property, list[str]] = {}
    for plan in PLANS:
        for item in of(plan):
            plans.setdefault(item, []).append(plan)
    lines = ["| property | plans | default | what it is |", "| --- | --- | --- | --- |"]
    for item, names in plans.items():
        where = "all" if len(names) == len(PLANS) else ", ".join(names)
        default = f"`{item.default}`" if item.default else "empty"
        lines.append(f"| `{item.name}` | {where} | {default} | {item.says} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
