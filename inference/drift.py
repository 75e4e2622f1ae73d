"""Whether recordings are still like those a model was made for: fixed bins, a reference, a number for each feature.

The population stability index compares the shares q of a reference with the shares p seen since, bin by bin:

    PSI = sum (p - q) ln(p / q)

which is the symmetric Kullback-Leibler divergence. Below 0.1 the two are commonly called alike, above 0.25 different
(Siddiqi, "Credit Risk Scorecards", 2006). Shares below FLOOR are taken for FLOOR, so that an empty bin does not make
the index infinite. Few values make it large by chance, by about (bins - 1) / values: MINIMUM is where it begins to mean
something.
"""

import json
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.errors import StoreError

FLOOR = 0.001
MINIMUM = 200  # values
NOTICEABLE = 0.1
DIFFERENT = 0.25


@dataclass(frozen=True, kw_only=True)
class Feature:
    """`edges`: bin i ends at edges[i], which belongs to it; the last bin has no end."""

    name: str
    says: str
    edges: tuple[float, ...]
    compared: bool = True  # with a reference made from training mixtures

    def bin(self, value: float) -> int:
        """The number of the bin of `value`."""
        return bisect_left(self.edges, value)

    def bins(self) -> tuple[str, ...]:
        """What the bins are called."""
        between = (f"{low:g} to {high:g}" for low, high in zip(self.edges, self.edges[1:], strict=False))
        return (f"to {self.edges[0]:g}", *between, f"over {self.edges[-1]:g}")


FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(
            name="level_dbfs",
            says="active speech level, dBFS",
            edges=(-60, -50, -45, -40, -35, -30, -25, -20, -15, -10),
        ),
        Feature(name="snr_db", says="estimated SNR, dB", edges=(-10, -5, 0, 5, 10, 15, 20, 30)),
        Feature(name="clipped_ratio", says="share of samples at full scale", edges=(0, 1e-5, 1e-4, 1e-3, 1e-2)),
        Feature(name="silence_ratio", says="share of frames below -60 dBFS", edges=(0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)),
        Feature(
            name="bandwidth_hz",
            says="99 % of the energy lies below, Hz",
            edges=(1000, 2000, 3000, 3500, 4000, 5000, 6000, 7000, 8000),
        ),
        Feature(name="noise_removed_db", says="fall of the noise floor, dB", edges=(3, 6, 10, 15, 20, 25, 30, 40)),
        # Mixtures for training all have the same length, which was chosen and not found.
        Feature(name="duration_s", says="length, s", edges=(1, 2, 5, 10, 30, 60, 300, 1800), compared=False),
    )
}


@dataclass(frozen=True)
class Reference:
    """What recordings were like when model `version` was made: the share of each bin, by feature."""

    version: str
    made_from: str
    values: int
    shares: Mapping[str, tuple[float, ...]]


def psi(counts: Sequence[float], shares: Sequence[float]) -> float:
    """The index of `counts` in the bins against the reference's `shares`; 0 without any count."""
    total = sum(counts)
    if not total:
        return 0.0
    pairs = ((max(count / total, FLOOR), max(share, FLOOR)) for count, share in zip(counts, shares, strict=True))
    return sum((p - q) * math.log(p / q) for p, q in pairs)


def histogram(feature: Feature, values: Sequence[float]) -> list[int]:
    """How many of `values` fall into each bin."""
    counts = [0] * (len(feature.edges) + 1)
    for value in values:
        counts[feature.bin(value)] += 1
    return counts


def make_reference(version: str, made_from: str, measured: Sequence[Mapping[str, float]], names: Sequence[str]) -> Any:
    """A reference as it is stored, from the features of many recordings; `names` are those to be compared."""
    bins = {}
    for name in names:
        counts = histogram(FEATURES[name], [features[name] for features in measured])
        shares = [round(count / len(measured), 6) for count in counts]
        bins[name] = {"edges": list(FEATURES[name].edges), "shares": shares}
    return {"version": version, "made_from": made_from, "values": len(measured), "features": bins}


def reference_file(folder: Path, key: str) -> Path:
    """Where the reference of a model lies in the models folder."""
    return folder / f"{key}.reference.json"


def load_reference(file: Path) -> Reference:
    """A stored reference; raises `StoreError` where it cannot be read or was made with other bins."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        shares = {name: tuple(map(float, entry["shares"])) for name, entry in stored["features"].items()}
        edges = {name: tuple(map(float, entry["edges"])) for name, entry in stored["features"].items()}
        reference = Reference(str(stored["version"]), str(stored["made_from"]), int(stored["values"]), shares)
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"{file} is no reference: {error!r}") from error
    for name in shares:
        if name not in FEATURES or edges[name] != FEATURES[name].edges or len(shares[name]) != len(edges[name]) + 1:
            raise StoreError(f"{file}: the bins of {name} are not those of this version; make it again")
    return reference
