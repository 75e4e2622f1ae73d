"""Pass or fail: the samples of a run against jmeter/thresholds.ini.

wrong_percent     answers that are no good: another status, type or duration, a malformed error, no answer at all
refused_percent   503 and 429, in proper form, where an enhanced recording was expected
late_percent      right, but after more than the row's within_ms
p95_ms            95 of 100 good answers came within so many milliseconds
refusal_p95_ms    and of refusals
capacity          requests a second of the last step of `stress` before it breaks
kept_percent      good answers a second in the worst step after that, in percent of the best step
drift             median of the last stage over that of the first
"""

import configparser
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from jmeter.samples import Sample

THRESHOLDS = Path(__file__).resolve().parent / "thresholds.ini"
MOST_COMPLAINTS = 12


class ThresholdError(Exception):
    """The file of thresholds cannot be understood."""


@dataclass(frozen=True)
class Run:
    """The samples of a plan, of so many machines together."""

    samples: Sequence[Sample]
    machines: int = 1
    stages: tuple[str, ...] = ()  # those that shares and latencies are about; empty: all
    breaks_at: float = 2.0  # percent refused or late

    def judged(self) -> list[Sample]:
        """The samples of the chosen stages."""
        return [sample for sample in self.samples if not self.stages or sample.stage in self.stages]

    def of_stages(self) -> list["Stage"]:
        """The stages in the order of their beginnings."""
        names = dict.fromkeys(sample.stage for sample in self.samples)
        return [Stage(name, [sample for sample in self.samples if sample.stage == name]) for name in names]


@dataclass(frozen=True)
class Stage:
    """A stretch of the plan."""

    name: str
    samples: list[Sample]

    @property
    def seconds(self) -> float:
        """How long requests arrived."""
        lasted = (max(sample.end_ms for sample in self.samples) - self.samples[0].start_ms) / 1000
        planned = self.samples[0].stage_seconds
        return planned if planned > 1 else max(lasted, 0.001)

    @property
    def good_rate(self) -> float:
        """Good answers a second; an answer that is only late counts too."""
        return (count(self.samples, "good") + count(self.samples, "late")) / self.seconds


def count(samples: Sequence[Sample], kind: str) -> int:
    """How many are of this kind."""
    return sum(sample.kind == kind for sample in samples)


def percent(samples: Sequence[Sample], *kinds: str) -> float:
    """How many of a hundred are of these kinds."""
    return 100 * sum(count(samples, kind) for kind in kinds) / len(samples) if samples else 0.0


def percentile(samples: Sequence[Sample], share: float, *kinds: str) -> float:
    """The time (ms) within which this share of the samples of these kinds was answered; 0 for none."""
    times = sorted(sample.elapsed_ms for sample in samples if sample.kind in kinds)
    return float(times[min(int(share * len(times)), len(times) - 1)]) if times else 0.0


def steps(run: Run) -> list[tuple[float, Stage]]:
    """The stages that are called after a rate, with it, of all machines."""
    rates = [(re.fullmatch(r"([\d.]+)/s", stage.name), stage) for stage in run.of_stages()]
    return [(run.machines * float(found.group(1)), stage) for found, stage in rates if found]


def held(run: Run) -> list[tuple[float, Stage]]:
    """The steps before the first that breaks."""
    kept = []
    for rate, stage in steps(run):
        if percent(stage.samples, "refused", "late") > run.breaks_at or count(stage.samples, "wrong"):
            break
        kept.append((rate, stage))
    return kept


def capacity(run: Run) -> float:
    """Requests a second of the last step that held; 0 when none did."""
    return max((rate for rate, _ in held(run)), default=0.0)


def kept_percent(run: Run) -> float:
    """Good answers a second in the worst broken step, of the best step; 100 when none broke."""
    rates = [stage.good_rate for _, stage in steps(run)]
    best, broken = max(rates, default=0.0), rates[len(held(run)) :]
    return 100 * min(broken) / best if broken and best else 100.0


def drift(run: Run) -> float:
    """Median of the last chosen stage over that of the first."""
    chosen = [stage for stage in run.of_stages() if not run.stages or stage.name in run.stages]
    first, last = (percentile(stage.samples, 0.5, "good", "late") for stage in (chosen[0], chosen[-1]))
    return last / first if first else inf


MEASURES: dict[str, Callable[[Run], float]] = {
    "wrong_percent": lambda run: percent(run.samples, "wrong"),
    "refused_percent": lambda run: percent(run.judged(), "refused"),
    "late_percent": lambda run: percent(run.judged(), "late"),
    "p95_ms": lambda run: percentile(run.judged(), 0.95, "good", "late"),
    "refusal_p95_ms": lambda run: percentile(run.samples, 0.95, "refused"),
    "capacity": capacity,
    "kept_percent": kept_percent,
    "drift": drift,
}


@dataclass(frozen=True)
class Verdict:
    """Whether a run passed, and why."""

    passed: bool
    text: str


def thresholds(plan: str, file: Path = THRESHOLDS) -> dict[str, str]:
    """The section of a plan. Raises ThresholdError."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
        return dict(parser[plan])
    except (OSError, KeyError, configparser.Error) as error:
        raise ThresholdError(f"{file}: no thresholds for {plan}: {error}") from error


def judge(plan: str, samples: Sequence[Sample], section: dict[str, str], machines: int = 1) -> Verdict:
    """Every threshold of the section against the samples. Raises ThresholdError."""
    rules = dict(section)
    stages = tuple(rules.pop("stages", "").split())
    run = Run(samples, machines, stages, float(rules.pop("breaks_at", "2")))
    empty = sorted(set(stages) - {sample.stage for sample in samples}) if samples else ["any stage"]
    if empty:
        return Verdict(False, f"{plan}: FAIL\nNothing was measured in {', '.join(empty)}.\n")
    lines = [_judged(run, name, rule) for name, rule in rules.items()]
    passed = all(line.startswith("ok") for line in lines)
    text = [f"{plan}: {'PASS' if passed else 'FAIL'}", *lines, "", *_table(run), *_complaints(samples)]
    return Verdict(passed, "\n".join(text) + "\n")


def _judged(run: Run, name: str, rule: str) -> str:
    found = re.fullmatch(r"at (most|least) ([\d.]+)", rule)
    if found is None or name not in MEASURES:
        raise ThresholdError(f"{name} = {rule}: wanted is a known name and `at most` or `at least` with a number")
    value, bound = MEASURES[name](run), float(found.group(2))
    reached = value <= bound if found.group(1) == "most" else value >= bound
    return f"{'ok  ' if reached else 'FAIL'} {name:16} {value:10.2f}   {rule}"


def _table(run: Run) -> list[str]:
    lines = [
        f"{'stage':10} {'requests':>8} {'good/s':>7} {'refused':>7} {'late':>5} {'wrong':>5}  p50/p95/p99 ms of answers"
    ]
    for stage in run.of_stages():
        refused, late, wrong = (count(stage.samples, kind) for kind in ("refused", "late", "wrong"))
        times = "/".join(f"{percentile(stage.samples, share, 'good', 'late'):.0f}" for share in (0.5, 0.95, 0.99))
        lines.append(
            f"{stage.name:10} {len(stage.samples):8} {stage.good_rate:7.2f} {refused:7} {late:5} {wrong:5}  {times}"
        )
    return lines


def _complaints(samples: Sequence[Sample]) -> list[str]:
    """What was not good, the most frequent first."""
    found = Counter(
        (sample.label, re.sub(r"\d+ ms, allowed", "allowed ms are", sample.message))
        for sample in samples
        if sample.kind in ("wrong", "late")
    )
    lines = [f"{number:5} x {label}: {message}" for (label, message), number in found.most_common(MOST_COMPLAINTS)]
    more = [f"      and {len(found) - MOST_COMPLAINTS} more kinds"] if len(found) > MOST_COMPLAINTS else []
    return ["", *lines, *more] if lines else []
