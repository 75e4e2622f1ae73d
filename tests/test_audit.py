"""The audit of the pinned packages says what it could find out, and never success where that was nothing."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.servers import ROOT

SCRIPT = ROOT / ".ci" / "audit"
FINE = {"name": "flask", "version": "3.1.3", "vulns": []}
HOLED = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-2020-1", "fix_versions": ["1.1"], "aliases": []}]}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found"}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("audit", str(SCRIPT))
    spec = importlib.util.spec_from_loader("audit", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        ([FINE, FINE], 0, "2 packages looked up, 0 holes"),
        ([FINE, HOLED, UNKNOWN], 1, "old 1.0: PYSEC-2020-1, fixed in 1.1"),
        ([FINE, UNKNOWN], 2, "1 could not be looked up, the first because: Dependency not found"),
        ([], 2, "0 packages looked up"),
    ],
)
def test_verdict(audit: ModuleType, packages: list[object], status: int, words: str) -> None:
    found, lines = audit.verdict({"dependencies": packages, "fixes": []})
    assert found == status
    assert words in "\n".join(lines)


def test_a_file_that_is_not_there_is_no_success(tmp_path: Path) -> None:
    pytest.importorskip("pip_audit")
    command = [sys.executable, str(SCRIPT), str(tmp_path / "none.txt")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "made no report" in run.stdout
