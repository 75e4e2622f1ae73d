"""Terraform as tests use it: a copy of terraform/ in a temporary folder, no terminal, no network where it can be."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STACK = ROOT / "terraform"
PLUGINS = "HUSH_TF_PLUGIN_DIR"  # a folder as `terraform init -plugin-dir` wants it


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a call: no colours, no question, no look for updates, no configuration of the user."""
    empty = folder / "terraform.rc"
    empty.touch()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    quiet = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "TF_CLI_CONFIG_FILE": str(empty), "CHECKPOINT_DISABLE": "1"}
    return {**inherited, **quiet, **more}


@dataclass(frozen=True)
class Terraform:
    """A copy of the stack whose providers are installed."""

    folder: Path
    environment: dict[str, str]

    def call(self, *arguments: str, seconds: float = 600) -> "subprocess.CompletedProcess[str]":
        """`terraform ARGUMENTS` with both outputs in `stdout`, whatever its exit status."""
        return subprocess.run(
            ["terraform", arguments[0], "-no-color", *arguments[1:]],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )

    def run(self, *arguments: str, seconds: float = 600) -> str:
        """The same; fails the test with the output unless it succeeds."""
        done = self.call(*arguments, seconds=seconds)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def with_environment(self, **more: str) -> "Terraform":
        """The same copy under further variables."""
        return Terraform(self.folder, {**self.environment, **more})

    def outputs(self) -> dict[str, Any]:
        """The values of all outputs."""
        return {name: item["value"] for name, item in json.loads(self.run("output", "-json")).items()}


def install(folder: Path) -> Terraform:
    """A copy of the stack in `folder`, initialised; skips the test where that cannot be done, with the reason."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    copy = folder / "terraform"
    shutil.copytree(STACK, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "terraform.tfvars"))
    terraform = Terraform(copy, environment(folder))
    plugins = os.environ.get(PLUGINS)
    options = [f"-plugin-dir={plugins}"] if plugins else []
    done = terraform.call("init", "-backend=false", "-input=false", *options, seconds=120)
    if done.returncode != 0:
        assert not plugins, f"{PLUGINS}={plugins} has no provider that fits:\n{done.stdout}"
        pytest.skip(f"{PLUGINS} is not set, and terraform init cannot download the provider here")
    return terraform
