"""Bins, references and the index."""

import json
from pathlib import Path

import numpy as np
import pytest

from inference.drift import (
    DIFFERENT,
    FEATURES,
    MINIMUM,
    NOTICEABLE,
    histogram,
    load_reference,
    make_reference,
    psi,
    reference_file,
)
from inference.errors import StoreError
from inference.quality import QualityMeter
from inference.store import ModelStore, load_store
from tests.servers import ROOT

LEVEL = FEATURES["level_dbfs"]


@pytest.fixture(scope="module")
def models() -> ModelStore:
    return load_store(ROOT / "models")


def shares(counts: list[int]) -> list[float]:
    return [count / sum(counts) for count in counts]


def test_each_value_has_one_bin_and_each_bin_a_name():
    for feature in FEATURES.values():
        assert len(set(feature.bins())) == len(feature.bins()) == len(feature.edges) + 1
        assert list(feature.edges) == sorted(feature.edges)
        assert [feature.bin(edge) for edge in feature.edges] == list(range(len(feature.edges)))
        assert feature.bin(feature.edges[-1] + 1) == len(feature.edges)
    assert LEVEL.bins()[LEVEL.bin(-27.5)] == "-30 to -25"
    assert set(FEATURES) == set(QualityMeter(16000, 1, 16000).features())


def test_equal_distributions_have_an_index_of_zero():
    generator = np.random.default_rng(0)
    counts = histogram(LEVEL, generator.normal(-27, 8, 1000).tolist())
    assert psi(counts, shares(counts)) == 0
    assert psi([3 * count for count in counts], shares(counts)) == pytest.approx(0, abs=1e-12)
    assert psi([0] * len(counts), shares(counts)) == 0


def test_a_sample_of_the_same_is_alike_and_a_shifted_one_different():
    generator = np.random.default_rng(0)
    reference = shares(histogram(LEVEL, generator.normal(-27, 8, 3000).tolist()))
    same = histogram(LEVEL, generator.normal(-27, 8, MINIMUM).tolist())
    shifted = histogram(LEVEL, generator.normal(-37, 8, MINIMUM).tolist())
    assert psi(same, reference) < NOTICEABLE
    assert psi(shifted, reference) > DIFFERENT


def test_the_index_of_two_bins_by_hand():
    """0.3 and 0.7 against 0.5 and 0.5."""
    assert psi([3, 7], [0.5, 0.5]) == pytest.approx(-0.2 * np.log(0.6) + 0.2 * np.log(1.4))


def test_a_reference_is_read_as_it_was_written(tmp_path: Path):
    measured = [{"level_dbfs": value, "snr_db": 3.0} for value in (-52.0, -27.0, -26.0, -5.0)]
    file = reference_file(tmp_path, "some")
    file.write_text(json.dumps(make_reference("1.2", "four values", measured, ["level_dbfs"])))
    reference = load_reference(file)
    assert (reference.version, reference.values, set(reference.shares)) == ("1.2", 4, {"level_dbfs"})
    assert sum(reference.shares["level_dbfs"]) == 1
    assert reference.shares["level_dbfs"][LEVEL.bin(-26.5)] == 0.5


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "1", "made_from": "x", "values": 1, "features": []}'])
def test_what_is_no_reference_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "some.reference.json"
    file.write_text(text)
    with pytest.raises(StoreError, match=r"some\.reference\.json is no reference"):
        load_reference(file)


def test_other_bins_are_refused(tmp_path: Path):
    stored = make_reference("1", "x", [{"level_dbfs": -3.0}], ["level_dbfs"])
    stored["features"]["level_dbfs"]["edges"][0] = -61
    file = tmp_path / "some.reference.json"
    file.write_text(json.dumps(stored))
    with pytest.raises(StoreError, match="level_dbfs"):
        load_reference(file)
    with pytest.raises(StoreError, match="cannot read"):
        load_reference(tmp_path / "none")


def test_the_production_model_has_a_reference_of_its_version(models: ModelStore):
    """After an export: python -m training.reference production ... (docs/training.md)."""
    info = models.resolve("production").info
    reference = load_reference(reference_file(ROOT / "models", info.key))
    assert reference.version == info.version
    assert set(reference.shares) == {name for name, feature in FEATURES.items() if feature.compared}
    assert reference.values >= 1000
    assert all(sum(part) == pytest.approx(1, abs=1e-4) for part in reference.shares.values())
