"""The end of every request: it is counted, and written to the log."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Response, g, request

from api.account import Account, account
from api.cache.question import KeptStream
from api.errors import request_id
from api.log import logger
from api.metrics import Metrics
from api.streaming import StreamedBody
from api.tracing import Tracing
from inference.drift import FEATURES

log = logger("hush.access")

BINS = {name: feature.bins() for name, feature in FEATURES.items()}
COMPUTING = ("decode", "enhance", "encode")
PREDICT = "/predict"


class Bookkeeping:
    """Counts into `metrics`; with `log_requests` also writes a line for each request, with `tracing` makes spans."""

    def __init__(self, metrics: Metrics, *, log_requests: bool, tracing: Tracing | None) -> None:
        self._metrics = metrics
        self._tracing = tracing
        self._log_requests = log_requests

    def begin(self) -> None:
        """Before the request is looked at."""
        g.account = Account()
        if self._tracing is not None:
            self._tracing.begin(g.account)

    def end(self, answer: Response) -> Response:
        """Once the headers of the answer are known; what is streamed is counted when it has ended."""
        facts = {
            "request_id": request_id(),
            "client": request.remote_addr,
            "method": request.method,
            "path": request.path,
            "route": "" if request.url_rule is None else request.url_rule.rule,
            "status": answer.status_code,
            "bytes": answer.content_length,
        }
        if isinstance(answer.response, StreamedBody | KeptStream):
            answer.response.when_closed(partial(self.settle, account(), facts))
        else:
            self.settle(account(), facts)
        return answer

    def settle(self, known: Account, facts: dict[str, Any], *, sent: int | None = None, broken: str = "") -> None:
        """A request has ended; `facts` are those of every request."""
        seconds = time.perf_counter() - known.start
        known.broken = broken
        complete = facts["status"] == 200 and not broken
        features = known.meter.features() if known.meter is not None and complete else {}
        if known.enhancer is not None and complete:
            known.audio_seconds = known.enhancer.frames_taken / known.enhancer.rate
        if sent is not None:
            facts["bytes"] = sent
        self._count(known, facts, seconds)
        self._count_quality(known, features)
        if self._tracing is not None:
            self._tracing.record(known, facts, seconds)
        if self._log_requests:
            log.info("request", **facts, seconds=round(seconds, 4), **_details(known, features))

    def _count(self, known: Account, facts: Mapping[str, Any], seconds: float) -> None:
        metrics, route = self._metrics, facts["route"]
        model = "" if known.model is None else known.model.key
        metrics.count("hush_requests_total", (route, str(facts["status"]), model))
        metrics.observe("hush_request_seconds", seconds, (route,))
        if known.refusal:
            metrics.count("hush_refusals_total", (known.refusal,))
        if known.broken:
            metrics.count("hush_streams_broken_total")
        if known.clock is None or not known.audio_seconds:
            return
        for stage, spent in known.clock.seconds.items():
            metrics.observe("hush_stage_seconds", spent, (stage,))
        metrics.count("hush_audio_seconds_total", (route, model), known.audio_seconds)
        if route == PREDICT:
            computing = sum(known.clock.seconds[stage] for stage in COMPUTING)
            metrics.observe("hush_real_time_factor", computing / known.audio_seconds, (model,))

    def _count_quality(self, known: Account, features: Mapping[str, float]) -> None:
        if known.model is None:
            return
        for name, value in features.items():
            bin = BINS[name][FEATURES[name].bin(value)]
            self._metrics.count("hush_quality_values_total", (known.model.key, name, bin))


def _details(known: Account, features: Mapping[str, float]) -> dict[str, Any]:
    """What only some requests have."""
    details: dict[str, Any] = {}
    if known.model is not None:
        details["model"], details["model_version"] = known.model.key, known.model.version
    if known.clock is not None:
        details["stages"] = {stage: round(spent, 5) for stage, spent in known.clock.seconds.items()}
    if known.audio_seconds:
        details["audio_seconds"] = round(known.audio_seconds, 3)
    if features:
        details["features"] = {name: round(value, 6) for name, value in features.items()}
    if known.refusal:
        details["refusal"] = known.refusal
    if known.broken:
        details["broken"] = known.broken
    return details
