"""The plans and the rows they send, as files."""

import csv
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from api.specification.operations import OPERATIONS
from jmeter import plans, properties
from jmeter.properties import PLANS
from tests.servers import ROOT

FOLDER = ROOT / "jmeter"
README = (FOLDER / "README.md").read_text()
CALLS = re.compile(r"\$\{__P\(([^,()]+),([^()]*)\)\}")
# `smoke` sends the first; the others are for services that have what they ask for.
ASKED = [name for name in ("smoke.csv", "jobs.csv", "keys.csv", "cache.csv") if (FOLDER / name).exists()]
# Kinds of problems that no row meets: the burst does, nginx answers before it, the service has no jobs, or has this key
# enabled; or it is out of order.
OUT_OF_REACH = {"overloaded", "body-too-large", "jobs-disabled", "key-disabled"}
OUT_OF_REACH |= {"not-ready", "jobs-full", "jobs-unavailable", "out-of-room"}
INSIDE = re.compile(r"/metrics\b")  # nginx shows it to nobody outside


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def every_row() -> list[dict[str, str]]:
    return [row for name in ASKED for row in rows(name)]


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(plan: str) -> ElementTree.Element:
    return ElementTree.parse(FOLDER / f"{plan}.jmx").getroot()


def values(tree: ElementTree.Element, name: str) -> set[str]:
    """Of every property of this name."""
    return {item.text or "" for item in tree.iter() if item.get("name") == name}


def test_committed_plans_are_what_the_script_writes(plan: str) -> None:
    assert (FOLDER / f"{plan}.jmx").read_text() == plans.text(plan)


def test_plans_have_the_form_of_jmeter(tree: ElementTree.Element) -> None:
    """Every element is followed by the tree of what is below it."""
    assert tree.tag == "jmeterTestPlan"
    for branch in tree.iter("hashTree"):
        tags = [item.tag for item in branch]
        assert tags[1::2] == ["hashTree"] * (len(tags) // 2) or tags == ["TestPlan", "hashTree"]
        assert "hashTree" not in tags[::2]


def test_every_property_has_its_default(plan: str) -> None:
    found = CALLS.findall((FOLDER / f"{plan}.jmx").read_text())
    assert set(found) == {(item.name, item.default) for item in properties.of(plan)}


def test_nothing_is_hard_coded(tree: ElementTree.Element) -> None:
    assert values(tree, "HTTPSampler.domain") == {"${host}"}
    assert values(tree, "HTTPSampler.port") == {"${port}"}
    assert values(tree, "HTTPSampler.protocol") == {"${scheme}"}
    assert values(tree, "ThreadGroup.num_threads") <= {"1", "${burst}"}
    schedules = values(tree, "OpenModelThreadGroup.schedule")
    assert [rate for text in schedules for rate in re.findall(r"rate\(([\d.]+)", text) if float(rate)] == []


def test_plans_have_no_listeners_and_no_plugins(tree: ElementTree.Element) -> None:
    known = {"TestPlan", "ThreadGroup", "SetupThreadGroup", "PostThreadGroup", "OpenModelThreadGroup", "CSVDataSet"}
    known |= {"WhileController", "HTTPSamplerProxy", "JSR223PreProcessor", "JSR223Assertion", "JSR223Sampler"}
    assert {item.tag for item in tree.iter() if item.get("testclass")} <= known


def test_scripts_leave_no_variable_to_jmeter() -> None:
    """JMeter replaces ${...} in a script before Groovy reads it."""
    assert [path.name for path in (FOLDER / "scripts").iterdir() if "${" in path.read_text()] == []


def test_every_property_is_documented() -> None:
    table = README.partition("<!-- properties -->\n")[2].partition("\n<!-- end -->")[0]
    assert table == properties.table()


def test_every_property_can_be_given_to_make() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", "")
    named = set(re.findall(r"^LOAD_NAMES = (.*)$", makefile, re.MULTILINE)[0].split())
    assert named | {"PATH", "KEY"} == {item.name.upper() for name in PLANS for item in properties.of(name)}


def test_every_column_is_documented() -> None:
    columns = README.partition("| column | what it is |")[2].partition("\n\n")[0]
    assert [name for name in plans.COLUMNS.split(",") if f"`{name}`" not in columns] == []


@pytest.mark.parametrize("name", [*ASKED, "load.csv", "burst.csv", "warm_up.csv"])
def test_rows_are_whole(name: str) -> None:
    lines = list(csv.reader((FOLDER / name).read_text().splitlines()))
    assert lines[0] == plans.COLUMNS.split(",")
    assert [line for line in lines if len(line) != len(lines[0])] == []


@pytest.mark.parametrize("name", ASKED)
def test_rows_asked_in_turn_have_names_of_their_own(name: str) -> None:
    labels = [row["label"] for row in rows(name)]
    assert len(set(labels)) == len(labels)


def test_smoke_asks_for_every_endpoint() -> None:
    asked = [f"{row['method'].lower()} {row['call'].partition('?')[0]}" for row in every_row()]
    wanted = [f"{method} {path}" for method, path in OPERATIONS if not INSIDE.match(path)]
    shapes = {operation: re.compile(re.sub(r"\{\w+\}", "[^/]+", operation)) for operation in wanted}
    assert [name for name, shape in shapes.items() if not any(map(shape.fullmatch, asked))] == []


def test_smoke_meets_every_documented_error() -> None:
    lines = re.findall(r"^\| .* \| (\d{3}) \| (.*) \|$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    known = set(re.findall(r"`([a-z-]+)`", " ".join(kind for _, kind in lines)))
    met = {row["contains"] for row in every_row()}
    assert len(known) > 15
    assert known - met - OUT_OF_REACH == set()
    bare = {status for status, kind in lines if "`" not in kind}
    assert bare - {row["status"] for row in every_row()} <= {"500"}


def test_load_is_a_mixture() -> None:
    found = rows("load.csv")
    files = {row["file"] for row in found}
    for part in ("short", "medium", "long", "mono", "stereo", ".wav", ".flac", ".mp3"):
        assert any(part in file for file in files), part
    bad = [row for row in found if row["status"].startswith("4")]
    assert 0.05 <= len(bad) / len(found) <= 0.2
    assert {row["field"] for row in found if row["file"]} == {"", "audio_file"}


def test_pictures_are_small() -> None:
    assert [path.name for path in Path(FOLDER).glob("*.png") if path.stat().st_size > 200_000] == []
