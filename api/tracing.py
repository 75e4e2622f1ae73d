"""Traces by OpenTelemetry: a span for each request, below it one for each of its stages. Off without an endpoint.

The packages are imported where an endpoint is set and nowhere else. The provider, which has a thread, is made in each
worker after the fork. All is known of a request at its end, so its spans are made then, with the times of before.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from flask import request

from api.account import Account
from api.environment import SettingsError
from api.log import logger
from api.timing import SpanClock

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logger("hush")
PACKAGES = "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http"
PATH = "/v1/traces"  # where OTLP over HTTP has them
CONTEXT = ("traceparent", "tracestate")  # headers of W3C Trace Context
UNTRACED = ("/healthz", "/readyz", "/metrics")  # asked every few seconds by machines
FLUSH_SECONDS = 3.0  # a worker that ends waits no longer for a collector


class Tracing:
    """Sends spans to the collector at `endpoint`; `build` is what /version answers.

    Raises `SettingsError` where the packages are missing.
    """

    def __init__(self, endpoint: str, build: Mapping[str, object]) -> None:
        try:
            # Before the fork, so that the workers share what is loaded.
            import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
            import_module("opentelemetry.sdk.trace.export")
        except ImportError as error:
            raise SettingsError([f"HUSH_OTLP_ENDPOINT needs the packages {PACKAGES}: {error}"]) from error
        self._endpoint = endpoint.rstrip("/") + PATH
        self._build = build
        self._provider: TracerProvider | None = None

    def start(self) -> None:
        """In a worker, before its first request; until then nothing is recorded."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        ours: dict[str, str | int] = {
            "service.name": "hush",
            "service.version": str(self._build.get("version", "")),
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
        }
        given = OTELResourceDetector().detect()  # OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
        self._provider = TracerProvider(resource=Resource(ours).merge(given), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=self._endpoint)))
        _log_in_our_form()

    def stop(self) -> None:
        """In a worker that ends: what is left is sent, for as long as that may take."""
        if self._provider is not None:
            flushing = threading.Thread(target=self._provider.shutdown, daemon=True)
            flushing.start()
            flushing.join(FLUSH_SECONDS)

    def begin(self, known: Account) -> None:
        """Before the request is looked at."""
        known.make_clock = SpanClock
        known.trace_context = {name: request.headers[name] for name in CONTEXT if name in request.headers}

    def record(self, known: Account, facts: Mapping[str, Any], seconds: float) -> None:
        """The spans of a request that has just ended after `seconds`."""
        if self._provider is None or facts["route"] in UNTRACED:
            return
        from opentelemetry.trace import SpanKind, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        from opentelemetry.trace.status import Status, StatusCode

        wall, counter = time.time_ns(), time.perf_counter()

        def moment(clock: float) -> int:
            """Nanoseconds since 1970, of a time on the clock of the stages."""
            return wall - int((counter - clock) * 1e9)

        tracer = self._provider.get_tracer("hush")
        span = tracer.start_span(
            f"{facts['method']} {facts['route']}".strip(),
            TraceContextTextMapPropagator().extract(known.trace_context),
            kind=SpanKind.SERVER,
            attributes=dict(_attributes(known, facts)),
            start_time=moment(known.start),
        )
        if not span.is_recording():  # the caller, or the sampler, wants none of this trace
            return
        if facts["status"] >= 500 or known.broken:
            span.set_status(Status(StatusCode.ERROR))
        if isinstance(known.clock, SpanClock):
            inside = set_span_in_context(span)
            for stage, (first, last) in known.clock.between.items():
                busy = {"hush.busy_seconds": round(known.clock.seconds[stage], 6)}
                tracer.start_span(stage, inside, attributes=busy, start_time=moment(first)).end(moment(last))
        span.end(moment(known.start + seconds))


def _attributes(known: Account, facts: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float]]:
    """Names of OpenTelemetry's conventions where there are any. No path and no query: the id of a job opens it."""
    yield "http.request.method", facts["method"]
    yield "http.route", facts["route"]
    yield "http.response.status_code", facts["status"]
    yield "hush.request_id", facts["request_id"]
    if known.model is not None:
        yield "hush.model", known.model.key
        yield "hush.model_version", known.model.version
    if known.audio_seconds:
        yield "hush.audio_seconds", round(known.audio_seconds, 3)
    if known.refusal:
        yield "hush.refusal", known.refusal
    if known.broken:
        yield "hush.broken", known.broken


class _Forward(logging.Handler):
    """Complaints of the packages, in the form of the service's own log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("traces", reason=record.getMessage())


def _log_in_our_form() -> None:
    theirs = logging.getLogger("opentelemetry")
    theirs.handlers = [_Forward(logging.WARNING)]
    theirs.propagate = False


def make_tracing(endpoint: str | None, build: Mapping[str, object]) -> Tracing | None:
    """None without an endpoint; raises `SettingsError` where the packages are missing."""
    return None if endpoint is None else Tracing(endpoint, build)
