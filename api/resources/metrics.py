"""`GET /metrics`: what is counted, in the text format of Prometheus."""

from collections.abc import Iterator

from flask import Response, request
from flask_restful import Resource
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.gauges import Gauges
from api.jobs.figures import JobFigures
from api.metrics import Metrics
from api.requests import acceptable


class _Everything(Collector):
    """What prometheus-client asks for metrics."""

    def __init__(self, metrics: Metrics, gauges: Gauges, jobs: JobFigures) -> None:
        self._metrics = metrics
        self._gauges = gauges
        self._jobs = jobs

    def collect(self) -> Iterator[Metric]:
        counted = list(self._metrics.collect())
        yield from counted
        yield from self._gauges.collect(counted)
        yield from self._jobs.collect()


class MetricsPage(Resource):  # type: ignore[misc]
    """Takes no slot, and waits for a second at most, for a Redis that does not answer."""

    def __init__(self, metrics: Metrics, gauges: Gauges, jobs: JobFigures) -> None:
        self._everything = _Everything(metrics, gauges, jobs)

    def get(self) -> Response:
        """200."""
        acceptable(request.accept_mimetypes, ("text/plain",))
        answer = Response(generate_latest(self._everything))
        answer.headers["Content-Type"] = CONTENT_TYPE_PLAIN_0_0_4
        answer.headers["Cache-Control"] = "no-store"
        return answer
