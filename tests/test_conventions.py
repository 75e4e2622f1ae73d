"""What the project asks of every file, so that a review need not: see CONTRIBUTING.md."""

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 350
MAX_BYTES = 1_000_000
MAX_WEIGHTS_BYTES = 20_000_000  # of a model; they are artefacts of the repository
# Put together here so that this file does not find itself.
UNFINISHED = [
    "TO" + "DO",
    "FIX" + "ME",
    "X" * 3,
    "Magic" + "Mock",
    "unittest." + "mock",
    "mark." + "xfail",
    "assert " + "True",
]
MACHINE_PATHS = re.compile("/" + r"(root|work|Users|home/[a-z]+)/")
INDEXES = re.compile(r"https?://|--(extra-)?index-url|--find-links|--trusted-host")


def git_files() -> list[Path]:
    """Files that are tracked, or would be by `git add .`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


FILES = git_files() if (ROOT / ".git").exists() else []
PYTHON = [path for path in FILES if path.suffix == ".py"]
TEXTS = [path for path in FILES if b"\0" not in path.read_bytes()[:8000]]


@pytest.fixture(autouse=True)
def need_files() -> None:
    """Without git nobody can say which files belong to the project."""
    if not FILES:
        pytest.skip("this is no git checkout")


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """NAME:LINE of each match."""
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{name_of(path)}:{number}: {line.strip()[:100]}")
    return found


def imports_of(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_no_path_of_a_machine() -> None:
    assert lines_with(MACHINE_PATHS, TEXTS) == []


def test_nothing_unfinished_or_mocked() -> None:
    pattern = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in UNFINISHED))
    assert lines_with(pattern, PYTHON) == []


def test_files_are_about_one_subject() -> None:
    lengths = {name_of(path): len(path.read_bytes().splitlines()) for path in PYTHON}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_no_file_is_named_after_nothing() -> None:
    assert [name_of(path) for path in PYTHON if path.stem in ("utils", "util", "helpers", "misc", "common")] == []


def test_no_large_file() -> None:
    limits = {path: MAX_WEIGHTS_BYTES if path.suffix == ".safetensors" else MAX_BYTES for path in FILES}
    assert [name_of(path) for path, limit in limits.items() if path.stat().st_size > limit] == []


def test_inference_reads_no_environment() -> None:
    reads = re.compile(r"\bos\.(environ|getenv|putenv)\b|\bfrom os import .*\b(environ|getenv)\b")
    assert lines_with(reads, [path for path in PYTHON if path.is_relative_to(ROOT / "inference")]) == []


@pytest.mark.parametrize("place", ["gunicorn_conf.py", "nginx"])
def test_early_code_needs_only_the_standard_library(place: str) -> None:
    paths = [path for path in PYTHON if path == ROOT / place or path.is_relative_to(ROOT / place)]
    foreign = {name_of(path): imports_of(path) - set(sys.stdlib_module_names) - {"nginx"} for path in paths}
    assert paths
    assert {name: found for name, found in foreign.items() if found} == {}


def test_import_contracts_cover_every_package() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    covered = set(config["importlinter"]["root_packages"].split())
    packages = {path.parent.name for path in PYTHON if path.name == "__init__.py" and path.parent.parent == ROOT}
    assert packages - covered - {"tests"} == set()


def test_shell_scripts_stop_at_the_first_failure() -> None:
    scripts = [path for path in TEXTS if re.match(r"#!.*\b(ba)?sh\b", path.read_text(encoding="utf-8"))]
    assert name_of(ROOT / ".ci" / "run") in map(name_of, scripts)
    assert [name_of(path) for path in scripts if "set -euo pipefail" not in path.read_text(encoding="utf-8")] == []


def test_ci_calls_the_documented_targets() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "make lint" in script
    assert "make test" in script


def requirements(name: str) -> list[str]:
    """Lines of a requirements file that ask for a package, without comments."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("-r ")]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned(name: str) -> None:
    assert [line for line in requirements(name) if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_pins_hold_what_is_asked_for(name: str) -> None:
    pinned = {line.partition("==")[0] for line in requirements(f"{name}.txt")}
    asked = {line.partition("==")[0] for line in requirements(f"{name}.in")}
    assert asked - pinned == set()
    reasons = [line for line in (ROOT / f"{name}.in").read_text().splitlines() if line and not line.startswith("-r")]
    assert [line for line in reasons if "# " not in line] == []


def test_both_sets_of_pins_agree() -> None:
    run, dev = (
        {line.partition("==")[0]: line for line in requirements(f"requirements{part}.txt")} for part in ("", "-dev")
    )
    assert {name: line for name, line in run.items() if dev.get(name) != line} == {}


def test_no_package_index_is_named() -> None:
    names = ("requirements.in", "requirements.txt", "requirements-dev.in", "requirements-dev.txt", ".ci/run")
    assert lines_with(INDEXES, [ROOT / name for name in names]) == []
