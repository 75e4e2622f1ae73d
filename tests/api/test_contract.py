"""schemathesis, which knows the service only by its description, against the running server."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.servers import ROOT

EXAMPLES = "10"  # of each operation and phase; some 500 requests in all
SECONDS = 100


@pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_the_server_does_what_it_says(server: str, tmp_path: Path):
    """Every check of schemathesis: no 5xx, described statuses, types, headers and documents; bad values refused,
    good ones accepted; methods that are not described get 405."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server}/openapi.json", "--no-color", "--seed=1"]
    command += [f"--max-examples={EXAMPLES}", "--continue-on-failure", "--suppress-health-check=all"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.api.contract_hooks"}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, errors="replace", timeout=SECONDS
    )
    said = "\n".join(line[:300] for line in run.stdout.splitlines())
    assert run.returncode == 0, said + run.stderr
    passed = re.search(r"(\d+) generated, (\d+) passed", said)
    assert passed is not None, said
    assert passed.group(1) == passed.group(2)
    assert int(passed.group(1)) > 200
    assert requests.get(f"{server}/readyz", timeout=10).status_code == 200
