"""The metrics that are looked up when somebody asks: slots, models, drift. Nothing is counted here."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from api.admission import Admission
from api.metrics import ROWS
from inference.drift import FEATURES, MINIMUM, Reference, psi
from inference.store import ModelStore

QUALITY = "hush_quality_values"


def gauge(name: str, values: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    """A gauge of the table with (label values, value)."""
    family = GaugeMetricFamily(name, ROWS[name].says, labels=ROWS[name].labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


class Gauges:
    """`references` are those that fit their models; `build` is what /version answers."""

    def __init__(
        self, admission: Admission, models: ModelStore, references: Mapping[str, Reference], build: Mapping[str, object]
    ) -> None:
        self._admission = admission
        self._models = models
        self._constant = [
            gauge("hush_slots", [((), admission.slots)]),
            gauge("hush_queue_places", [((), admission.places)]),
            gauge("hush_build_info", [((str(build.get("version", "")), str(build.get("commit") or "")), 1)]),
            gauge("process_start_time_seconds", [((), time.time())]),
        ]
        self.take_over(references)

    def take_over(self, references: Mapping[str, Reference]) -> None:
        """Goes on with these references and with what the store of models holds now."""
        self._references = references
        loaded = (model.info for model in self._models.models.values())
        self._of_models = [
            gauge("hush_model_info", [((one.key, one.version, ",".join(one.labels)), 1) for one in loaded]),
            gauge("hush_quality_reference_ratio", self._shares()),
        ]

    def collect(self, counted: Iterable[Metric]) -> Iterator[Metric]:
        """All gauges; `counted` is what `Metrics.collect` gave."""
        yield from self._constant
        yield from self._of_models
        yield gauge("hush_slots_in_use", [((), self._admission.in_use())])
        yield gauge("hush_queue_length", [((), self._admission.waiting())])
        yield gauge("hush_quality_psi", self._drift(counted))

    def _shares(self) -> Iterator[tuple[tuple[str, ...], float]]:
        for key, reference in self._references.items():
            for name, shares in reference.shares.items():
                for number, share in enumerate(shares):
                    yield (key, name, FEATURES[name].bins()[number]), share

    def _drift(self, counted: Iterable[Metric]) -> Iterator[tuple[tuple[str, ...], float]]:
        counts: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for family in counted:
            if family.name == QUALITY:
                for sample in family.samples:
                    labels = sample.labels
                    counts[labels["model"], labels["feature"]][labels["bin"]] = sample.value
        for (key, name), by_bin in counts.items():
            reference = self._references.get(key)
            if reference is not None and name in reference.shares and sum(by_bin.values()) >= MINIMUM:
                in_order = [by_bin.get(bin, 0.0) for bin in FEATURES[name].bins()]
                yield (key, name), psi(in_order, reference.shares[name])
