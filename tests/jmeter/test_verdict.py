"""Verdicts on the samples of real runs, which lie in data/."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from jmeter import report, samples, verdict
from jmeter.properties import PLANS

STRESS = Path(__file__).parent / "data" / "stress.csv"  # 8 steps of 20 s against two slow cores
Row = dict[str, str]


def edited(file: Path, change: Callable[[Row], Row | None]) -> Path:
    """The samples of STRESS with every row changed, or left out."""
    with STRESS.open(newline="") as opened:
        reader = csv.DictReader(opened)
        rows = [changed for row in reader if (changed := change(row))]
        with file.open("w", newline="") as written:
            writer = csv.DictWriter(written, reader.fieldnames or [])
            writer.writeheader()
            writer.writerows(rows)
    return file


def judged(file: Path, plan: str = "stress", **rules: str) -> verdict.Verdict:
    return verdict.judge(plan, samples.read([file]), rules or verdict.thresholds(plan))


def measured(file: Path, *machines: Path) -> verdict.Run:
    return verdict.Run(samples.read([file, *machines]), machines=1 + len(machines))


def test_every_plan_has_thresholds_that_are_understood() -> None:
    for plan in PLANS:
        rules = verdict.thresholds(plan)
        assert "wrong_percent" in rules
        assert "FAIL" in verdict.judge(plan, [], rules).text


def test_no_samples_are_no_success() -> None:
    assert not verdict.judge("load", [], {"wrong_percent": "at most 0"}).passed


def test_a_stage_without_samples_is_no_success() -> None:
    found = judged(STRESS, wrong_percent="at most 100", stages="steady")
    assert not found.passed
    assert "Nothing was measured in steady" in found.text


def test_the_real_run() -> None:
    run = measured(STRESS)
    with STRESS.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["stage"] != "warm-up"]
    assert len(run.samples) == len(rows)
    assert verdict.count(run.samples, "refused") == sum(row["failureMessage"].startswith("refused") for row in rows) > 0
    assert [rate for rate, _ in verdict.steps(run)] == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]


def test_capacity_is_the_last_step_that_held(tmp_path: Path) -> None:
    """Refusals in the first two steps made good, one step is left that breaks."""

    def repaired(row: Row) -> Row:
        return row if float(row["stage"].removesuffix("/s")) > 1 else {**row, "success": "true"}

    def broken(row: Row) -> Row:
        refused = {**row, "success": "false", "failureMessage": "refused: 503"}
        return refused if row["stage"] == "1.5/s" else repaired(row)

    with_stages = edited(tmp_path / "staged.csv", lambda row: row if row["stage"] != "warm-up" else None)
    assert verdict.capacity(measured(with_stages)) == verdict.capacity(measured(STRESS))
    file = edited(tmp_path / "broken.csv", lambda row: broken(row) if row["stage"] != "warm-up" else None)
    assert verdict.capacity(measured(file)) == 1.0
    assert verdict.kept_percent(measured(file)) == 0.0


def test_a_wrong_answer_breaks_a_step_and_fails_the_run(tmp_path: Path) -> None:
    def spoilt(row: Row) -> Row:
        bad = {"success": "false", "failureMessage": "wrong: status 500 (Oops), expected 200"}
        return {**row, **bad} if row["stage"] == "0.5/s" else row

    file = edited(tmp_path / "wrong.csv", spoilt)
    found = judged(file)
    assert not found.passed
    assert "FAIL wrong_percent" in found.text
    assert "wrong: status 500 (Oops)" in found.text
    assert verdict.capacity(measured(file)) == 0.0


def test_what_no_script_has_judged_is_wrong(tmp_path: Path) -> None:
    lost = {
        "success": "false",
        "failureMessage": "",
        "responseCode": "Non HTTP response code: java.net.SocketException",
    }
    file = edited(tmp_path / "lost.csv", lambda row: {**row, **lost})
    assert verdict.percent(samples.read([file]), "wrong") == 100


def test_repeated_requests_and_the_warm_up_are_left_out(tmp_path: Path) -> None:
    file = edited(tmp_path / "again.csv", lambda row: {**row, "label": row["label"] + " (limited)"})
    assert samples.read([file]) == []
    file = edited(tmp_path / "early.csv", lambda row: {**row, "stage": "warm-up"})
    assert samples.read([file]) == []


def test_drift_compares_the_last_stage_with_the_first(tmp_path: Path) -> None:
    def slower(row: Row) -> Row:
        return {**row, "success": "true", "elapsed": "300" if row["stage"] == "4.0/s" else "200"}

    file = edited(tmp_path / "drift.csv", slower)
    assert verdict.drift(measured(file)) == pytest.approx(1.5)
    assert not judged(file, drift="at most 1.3").passed
    assert judged(file, drift="at most 1.6").passed


def test_percentiles_of_good_answers(tmp_path: Path) -> None:
    numbers = iter(range(1, 10_000))
    file = edited(tmp_path / "even.csv", lambda row: {**row, "success": "true", "elapsed": str(next(numbers))})
    found = samples.read([file])
    assert verdict.percentile(found, 0.95, "good") == pytest.approx(0.95 * next(numbers), rel=0.05)
    assert verdict.percentile(found, 0.95, "refused") == 0


def test_two_machines_double_the_rates(tmp_path: Path) -> None:
    file = edited(tmp_path / "good.csv", lambda row: {**row, "success": "true"})
    one, two = measured(file), measured(file, file)
    assert verdict.capacity(two) == 2 * verdict.capacity(one) == 8
    samples.merge([file, file], tmp_path / "merged.csv")
    assert len(samples.read([tmp_path / "merged.csv"])) == 2 * len(one.samples)
    other = tmp_path / "other.csv"
    other.write_text("label,elapsed\n")
    with pytest.raises(ValueError, match="other columns"):
        samples.merge([file, other], tmp_path / "never.csv")


@pytest.mark.parametrize("rule", ["0", "at most", "below 3", "at most -1"])
def test_a_threshold_that_cannot_be_read_is_named(rule: str) -> None:
    with pytest.raises(verdict.ThresholdError, match="wrong_percent = "):
        judged(STRESS, wrong_percent=rule)


def test_an_unknown_threshold_is_named() -> None:
    with pytest.raises(verdict.ThresholdError, match="p96_ms = "):
        judged(STRESS, p96_ms="at most 1")


def test_the_verdict_decides_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "samples.csv").write_bytes(STRESS.read_bytes())
    rules = tmp_path / "rules.ini"
    for bound, status in (("100", 0), ("0", 1)):
        rules.write_text(f"[stress]\nrefused_percent = at most {bound}\n")
        assert report.conclude("stress", tmp_path, rules) == status
        assert (tmp_path / "verdict.txt").read_text() == capsys.readouterr().out
