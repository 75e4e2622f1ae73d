"""The command that makes a reference, on a small made-up corpus and the real model."""

import json
from pathlib import Path

from inference.drift import FEATURES, load_reference
from tests.servers import ROOT
from training.reference import main


def test_a_reference_is_made_from_mixtures(material: Path, cache: Path, tmp_path: Path):
    entries = json.loads((ROOT / "models" / "hyperparams.json").read_text())
    (tmp_path / "hyperparams.json").write_text(json.dumps({"lsa": entries["lsa"]}))
    command = ["lsa", "--models", str(tmp_path), "--mixtures", "12", "--seconds", "1", "--simulated-rooms", "2"]
    command += ["--speech", str(material / "speech"), "--noise", str(material / "noise"), "--cache", str(cache)]
    main([*command, "--min-speech-snr", "0", "--note", "made up"])
    reference = load_reference(tmp_path / "lsa.reference.json")
    assert (reference.version, reference.values) == (entries["lsa"]["version"], 12)
    assert "12 mixtures of 1 s" in reference.made_from
    assert "made up" in reference.made_from
    assert set(reference.shares) == {name for name, feature in FEATURES.items() if feature.compared}
    level = reference.shares["level_dbfs"]
    assert sum(level) > 0.99
    assert sum(share > 0 for share in level) >= 3  # levels are drawn from a wide range
    before = (tmp_path / "lsa.reference.json").read_bytes()
    main([*command, "--min-speech-snr", "0", "--note", "made up"])
    assert (tmp_path / "lsa.reference.json").read_bytes() == before  # the same seed gives the same
