"""The metrics of jobs, read from the place of their records at the moment of the scrape."""

import logging
import time
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

from api.gauges import gauge
from api.jobs.office import Office
from api.jobs.refusals import JobsUnavailable
from api.jobs.tally import DELIVERIES, OUTCOMES, PARTS, SUM, Counts, Figures, counted
from api.metrics import JOB_SECONDS, ROWS

log = logging.getLogger("hush")
PAUSE_SECONDS = 30.0  # a place that does not answer is left alone for as long: a scrape must not wait for it each time


class JobFigures:
    """Of the jobs of `office`; nothing where the service takes none."""

    def __init__(self, office: Office | None) -> None:
        self._office = office
        self._not_before = 0.0

    def collect(self) -> Iterator[Metric]:
        """The metrics; only that the place is away, where it is."""
        if self._office is None:
            return
        figures = self._read(self._office)
        yield gauge("hush_jobs_store_up", [((), figures is not None)])
        if figures is not None:
            yield from _families(figures)

    def _read(self, office: Office) -> Figures | None:
        if time.monotonic() < self._not_before:
            return None
        try:
            return office.figures()
        except JobsUnavailable as error:
            self._not_before = time.monotonic() + PAUSE_SECONDS
            log.warning("no metrics of jobs: %s", error.__cause__)
            return None


def _families(figures: Figures) -> Iterator[Metric]:
    yield gauge("hush_jobs", [(("queued",), figures.waiting), (("running",), figures.running)])
    age = 0.0 if figures.oldest is None else max(0.0, time.time() - figures.oldest)
    yield gauge("hush_jobs_oldest_waiting_seconds", [((), age)])
    yield gauge("hush_jobs_stored_bytes", [((), figures.bytes)])
    counts = figures.counts
    yield _counter("hush_jobs_taken_total", counts)
    yield _counter("hush_jobs_ended_total", counts, OUTCOMES)
    yield _counter("hush_job_attempts_lost_total", counts)
    yield _seconds("hush_job_seconds", counts)
    yield _counter("hush_webhook_tries_total", counts)
    yield _counter("hush_webhooks_total", counts, DELIVERIES)


def _counter(name: str, counts: Counts, values: tuple[str, ...] = ()) -> CounterMetricFamily:
    """A counter of the table, with each of the `values` that its one label has."""
    family = CounterMetricFamily(name, ROWS[name].says, labels=ROWS[name].labels)
    for labels in [[value] for value in values] or [[]]:
        family.add_metric(labels, counts.get(counted(name, *labels), 0.0))
    return family


def _seconds(name: str, counts: Counts) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, ROWS[name].says, labels=ROWS[name].labels)
    ends = (*map(str, JOB_SECONDS), "+Inf")
    for part in PARTS:
        upto = accumulate(counts.get(counted(name, part, end), 0.0) for end in ends)
        family.add_metric((part,), list(zip(ends, upto, strict=True)), counts.get(counted(name, part, SUM), 0.0))
    return family
