"""The server's settings: the same names, defaults and ranges as in api.settings; standard library only."""

import ast
import runpy
import sys
from dataclasses import fields

import pytest

from api.environment import variable
from api.settings import Settings
from tests.servers import ROOT

FILE = ROOT / "gunicorn_conf.py"


@pytest.fixture
def conf(monkeypatch: pytest.MonkeyPatch):
    def run(**variables: str) -> dict[str, object]:
        for item in fields(Settings):
            monkeypatch.delenv(variable(item), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(FILE))

    return run


def read_names() -> set[str]:
    """The HUSH_* variables that gunicorn_conf.py reads."""
    calls = [node for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    numbers = {f"HUSH_{call.args[0].value}" for call in calls if getattr(call.func, "id", "") == "_number"}
    texts = {
        call.args[0].value
        for call in calls
        if ast.unparse(call.func) == "os.environ.get" and isinstance(call.args[0], ast.Constant)
    }
    return numbers | texts


def test_it_reads_exactly_the_settings_marked_as_its_own():
    own = {variable(item) for item in fields(Settings) if item.metadata["server"]}
    assert read_names() == own | {"HUSH_CORES", "HUSH_SLOTS", "HUSH_QUEUE_LENGTH", "HUSH_LONG_REQUESTS"}


def test_its_defaults_are_the_documented_ones(conf):
    values, settings = conf(), Settings()
    assert values["bind"] == settings.bind
    assert values["loglevel"] == settings.log_level
    names = {"timeout": "timeout_s", "graceful_timeout": "graceful_timeout_s", "keepalive": "keepalive_s"}
    for ours in ("timeout", "graceful_timeout", "keepalive", "max_requests", "max_requests_jitter"):
        assert values[ours] == getattr(settings, names.get(ours, ours)), ours
    assert values["_stall_timeout"] == settings.stall_timeout_s
    assert values["threads"] == values["_slots"] + settings.queue_length + settings.long_requests + 4
    assert values["timeout"] <= values["graceful_timeout"]


def test_variables_are_taken_over_and_unreadable_ones_left_to_the_application(conf):
    values = conf(
        HUSH_WORKERS="3",
        HUSH_SLOTS="5",
        HUSH_QUEUE_LENGTH="7",
        HUSH_TIMEOUT_S="soon",
        HUSH_LOG_LEVEL="loud",
        HUSH_LONG_REQUESTS="2",
    )
    assert (values["workers"], values["threads"], values["timeout"], values["loglevel"]) == (3, 18, 30, "info")
    assert not [entry for entry in values["raw_env"] if entry.startswith("HUSH_SLOTS")]


def test_the_application_learns_the_number_of_cores(conf):
    values = conf()
    cores = values["available_cores"]()
    assert {f"HUSH_CORES={cores}", f"HUSH_SLOTS={8 * cores}"} <= set(values["raw_env"])


def test_workers_follow_cores_and_memory(conf):
    workers, gigabyte = conf()["default_workers"], 2**30
    assert workers(4, 64 * gigabyte) == 4
    assert workers(4, gigabyte) == 2
    assert workers(4, gigabyte // 4) == 1


def test_it_imports_the_standard_library_only():
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.split(".")[0] for module in modules} <= sys.stdlib_module_names
