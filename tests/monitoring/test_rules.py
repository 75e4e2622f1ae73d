"""Alerts, dashboard and runbook against each other and against the metrics there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.metrics import ROWS, TABLE
from tests.servers import ROOT

FOLDER = ROOT / "monitoring"
PROMTOOL = shutil.which("promtool")
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
need_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)


def promtool(*arguments: str) -> None:
    done = subprocess.run([str(PROMTOOL), *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def names_in(expression: str) -> set[str]:
    """Metrics, without the suffixes of a histogram's series; recorded ones have a colon."""
    found = set(re.findall(r"(?<![\w:$\"])((?:hush|process)[_:][a-z0-9_:]+)", expression))
    return {re.sub(r"_(bucket|sum|count)$", "", name) if name not in ROWS else name for name in found}


def expressions() -> list[str]:
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    return [*targets, *(rule["expr"] for rule in RULES)]


@need_promtool
def test_promtool_has_nothing_against_them():
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")


@need_promtool
def test_alerts_come_when_they_should_and_only_then():
    promtool("test", "rules", "alerts_test.yml")


@need_promtool
def test_a_wrong_rule_would_be_found(tmp_path: Path):
    shutil.copytree(FOLDER, tmp_path / "rules", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    rules = tmp_path / "rules" / "alerts.yml"
    rules.write_text(rules.read_text().replace("> 0.25", "> 25"))
    done = subprocess.run([str(PROMTOOL), "test", "rules", "alerts_test.yml"], cwd=rules.parent, capture_output=True)
    assert done.returncode != 0


def test_every_alert_is_tested_both_ways():
    """One test expects it, and one expects it not to come."""
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(ALERTS)


def test_every_metric_that_is_asked_for_exists():
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    asked = {name for expression in expressions() for name in names_in(expression)}
    assert asked - recorded - set(ROWS) == set()
    assert recorded <= asked
    shown = {row.name for row in TABLE} - asked
    assert shown == set(), "neither dashboard nor alerts show these"


def test_every_alert_has_an_entry_in_the_runbook_and_the_other_way_round():
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_panels_do_not_overlap_and_are_explained():
    cells = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not own & cells, panel["title"]
        cells |= own
        assert panel["type"] == "row" or panel["description"]
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
