"""A model of the auto-scaling group: what arrives second by second, what the instances of that second can do.

The policy is that of terraform/modules/fleet: the group is kept at a mean CPU target (target tracking). CloudWatch
says every minute how busy the last minute was; more is started at once, in proportion; less is stopped only after a
quarter of an hour below nine tenths of the target, as AWS does. A started instance serves after the launch and the
warm-up, and counts for the policy from then on.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

PERIOD = 60  # seconds between two readings
SCALE_IN_PERIODS = 15  # readings in a row


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The settings of terraform/variables.tf, and how long a start takes."""

    minimum: int = 2
    maximum: int = 1000
    target: float = 0.6  # of the CPU
    start_seconds: int = 60  # from the decision until the balancer sends requests
    metric_delay: int = 60  # seconds until a reading is seen
    queue_seconds: float = 0.5  # work that one instance lets wait, in seconds of its own time


@dataclass(frozen=True)
class Outcome:
    """What became of the work (all in hours of audio) and of the instances."""

    offered: float
    refused: float
    instance_hours: float
    most_instances: int
    scale_out_delay: float | None  # seconds from the first refusal to the last of the same episode; None: none refused

    @property
    def refusal_rate(self) -> float:
        """Share of the work that got a 503."""
        return self.refused / self.offered if self.offered else 0.0


class Group:
    """Instances that serve, and those on their way."""

    def __init__(self, policy: Policy, serving: int) -> None:
        self._policy = policy
        self.serving = serving
        self._starting: deque[tuple[int, int]] = deque()  # (second it serves from, how many)
        self._low = 0
        unseen = policy.metric_delay // PERIOD
        self._seen: deque[float] = deque([policy.target] * unseen, maxlen=unseen + 1)

    def arrive(self, now: int) -> None:
        """Those whose start is over serve."""
        while self._starting and self._starting[0][0] <= now:
            self.serving += self._starting.popleft()[1]

    def read(self, now: int, busy: float) -> None:
        """One reading of the mean CPU (0 to 1); it is acted upon when it has become visible."""
        self._seen.append(busy)
        busy, policy = self._seen[0], self._policy
        wanted = min(policy.maximum, max(policy.minimum, math.ceil(self.serving * busy / policy.target)))
        coming = self.serving + sum(count for _, count in self._starting)
        self._low = self._low + 1 if busy < 0.9 * policy.target else 0
        if wanted > coming:
            self._starting.append((now + policy.start_seconds, wanted - coming))
        elif self._low >= SCALE_IN_PERIODS and not self._starting:
            self.serving = max(wanted, policy.minimum)
            self._low = 0


def simulate(load: Sequence[float], speed: float, policy: Policy) -> Outcome:
    """`load`: seconds of audio arriving in each second; `speed`: seconds of audio an instance does in a second."""
    group = Group(policy, max(policy.minimum, math.ceil(load[0] / speed / policy.target)))
    waiting = offered = refused = instance_seconds = busy = 0.0
    most, refusals = 0, list[int]()
    for now, arriving in enumerate(load):
        group.arrive(now)
        able = group.serving * speed
        offered += arriving
        work = waiting + arriving
        done = min(work, able)
        waiting = work - done
        over = max(0.0, waiting - policy.queue_seconds * able)
        waiting -= over
        refused += over
        if over:
            refusals.append(now)
        busy += done / able
        instance_seconds += group.serving
        most = max(most, group.serving)
        if now % PERIOD == PERIOD - 1:
            group.read(now, busy / PERIOD)
            busy = 0.0
    return Outcome(offered / 3600, refused / 3600, instance_seconds / 3600, most, _longest(refusals))


def _longest(seconds: Sequence[int]) -> float | None:
    """The longest episode; pauses of less than two readings belong to it."""
    if not seconds:
        return None
    longest = start = 0
    for position, second in enumerate(seconds):
        if position and second - seconds[position - 1] > 2 * PERIOD:
            start = position
        longest = max(longest, second - seconds[start] + 1)
    return float(longest)
