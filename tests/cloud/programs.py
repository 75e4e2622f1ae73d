"""Programs that the tests of the cloud parts call, and skips that say what brings them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"


def program(name: str, package: str) -> str:
    """The path of a program of the machine, or a skip that names the package to install."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), SYSTEM]))
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {package})")
    return found


def cloud_tool(name: str) -> str:
    """A program of the environment of requirements-cloud.txt: beside this Python, in .venv-cloud, or on the PATH."""
    for folder in (Path(sys.executable).parent, ROOT / ".venv-cloud" / "bin"):
        if (folder / name).exists():
            return str(folder / name)
    if found := shutil.which(name):
        return found
    pytest.skip(f"{name} is not installed: make test-cloud installs it into .venv-cloud")


def run(*command: str, seconds: float = 120, **keywords: object) -> "subprocess.CompletedProcess[str]":
    """The finished command, both outputs in `stdout`, whatever its exit status."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False, **keywords
    )
