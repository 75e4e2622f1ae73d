"""What becomes known of a request while it is served, for metrics and log."""

import time
from dataclasses import dataclass, field

from flask import g

from api.timing import StageClock
from inference.enhancer import Enhancer
from inference.quality import QualityMeter
from inference.store import ModelInfo


@dataclass
class Account:
    """Filled in by whoever knows; `seconds` and `broken` by the end of the answer."""

    start: float = field(default_factory=time.perf_counter)
    clock: StageClock | None = None  # with audio only
    make_clock: type[StageClock] = StageClock
    trace_context: dict[str, str] = field(default_factory=dict)  # headers, where traces are made
    model: ModelInfo | None = None
    enhancer: Enhancer | None = None  # /predict only
    meter: QualityMeter | None = None  # where the recording is measured
    audio_seconds: float = 0.0
    refusal: str = ""  # why it was not served
    broken: str = ""  # why a streamed answer broke off

    def start_clock(self) -> StageClock:
        """That of a request with audio."""
        self.clock = self.make_clock()
        return self.clock


def account() -> Account:
    """That of the current request."""
    if "account" not in g:
        g.account = Account()
    found: Account = g.account
    return found
