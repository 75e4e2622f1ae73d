"""The image's recipe without a bake: scripts, both layouts of the template, pins, refusals."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.programs import ROOT, program, run

PACKER = ROOT / "packer"
SCRIPTS = sorted((PACKER / "scripts").glob("*.sh"))
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GOOD = {"region": "eu-central-1", "commit": COMMIT, "builder_cidr": "198.51.100.7/32"}


def test_shellcheck() -> None:
    shellcheck = program("shellcheck", "shellcheck")
    files = [*SCRIPTS, PACKER / "bake", PACKER / "legacy", PACKER / "files" / "hush-drain"]
    done = run(shellcheck, "-x", "-P", str(PACKER), *map(str, files))
    assert done.returncode == 0, done.stdout


def test_every_script_is_called_once_and_in_order() -> None:
    called = re.findall(r"scripts/([0-9a-z-]+\.sh)\"", (PACKER / "hush.pkr.hcl").read_text())
    assert called == [path.name for path in SCRIPTS if path.name != "lib.sh"]
    assert called == sorted(called)


def validate(template: Path, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    packer = program("packer", "packer")
    archive = folder / "hush.tar.gz"
    archive.touch()
    given = {**GOOD, "archive": str(archive), **variables}
    options = [word for name, value in given.items() for word in ("-var", f"{name}={value}")]
    return run(packer, "validate", *options, str(template), env=quiet())


def quiet() -> dict[str, str]:
    return {**os.environ, "CHECKPOINT_DISABLE": "1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


def version() -> tuple[int, ...]:
    """The version of the Packer of this machine."""
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", run(program("packer", "packer"), "version", env=quiet()).stdout)
    assert found
    return tuple(map(int, found.groups()))


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """What the Packer of this machine gets: the folder, or before 1.7 the single file."""
    if version() >= (1, 7):
        assert run(program("packer", "packer"), "init", str(PACKER), env=quiet()).returncode == 0
        return PACKER
    file = tmp_path / "hush.pkr.hcl"
    file.write_text(run(str(PACKER / "legacy")).stdout)
    return file


def test_packer_takes_the_template(template: Path, tmp_path: Path) -> None:
    done = validate(template, tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("region", "Frankfurt", "The region must look like"),
        ("commit", "0123456", "The commit must be a full id"),
        ("base_owner", "somebody", "The owner of the base image"),
        ("builder_cidr", "0.0.0.0/0", "not everybody"),
        ("volume_gb", "1", "The volume_gb must be between"),
        ("archive", "missing.tar.gz", "missing.tar.gz"),
    ],
)
def test_wrong_values_are_refused(template: Path, tmp_path: Path, name: str, value: str, words: str) -> None:
    done = validate(template, tmp_path, **{name: value})
    assert done.returncode != 0
    assert words in done.stdout


def test_the_folder_is_sound_hcl() -> None:
    """The layout for a current Packer, as far as a parser of the language can say."""
    hcl2 = pytest.importorskip("hcl2", reason="the HCL parser is missing: make test-cloud installs it")
    whole = hcl2.loads((PACKER / "hush.pkr.hcl").read_text())
    source = whole["source"][0]["amazon-ebs"]["hush"]
    assert source["imds_support"] == ["v2.0"]
    assert source["metadata_options"][0]["http_tokens"] == ["required"]
    plugins = hcl2.loads((PACKER / "plugins.pkr.hcl").read_text())
    assert "amazon" in plugins["packer"][0]["required_plugins"][0]


def test_only_marked_lines_differ_between_the_layouts() -> None:
    """The file for 1.6.6 has every line of the template but those that say since when Packer knows them."""
    whole = (PACKER / "hush.pkr.hcl").read_text().replace("${path.root}", str(PACKER)).splitlines()
    legacy = run(str(PACKER / "legacy")).stdout.splitlines()
    left_out = [line for line in whole if re.search(r"# since 1\.\d", line)]
    assert len(left_out) == len(whole) - len(legacy)
    assert [line for line in whole if line not in left_out] == legacy
    assert any("imds_support" in line for line in left_out)


def pins(path: Path) -> dict[str, str]:
    """Package -> version, without the suffix of a build (+cpu) and without hashes."""
    found = re.findall(r"^([a-z0-9-]+)==([0-9a-z.]+)", path.read_text(), re.MULTILINE)
    return dict(found)


def test_hashed_pins_are_the_pins() -> None:
    assert pins(PACKER / "requirements.lock") == pins(ROOT / "requirements.txt")


def test_every_pin_has_hashes() -> None:
    text = (PACKER / "requirements.lock").read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    assert [entry.split()[0] for entry in entries if entry[:1].isalnum() and "--hash=sha256:" not in entry] == []


def bake(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in quiet().items() if name not in ("REGION", "AWS_REGION", "COMMIT")}
    return run(str(PACKER / "bake"), *arguments, env={**inherited, **environment})


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["publish"], {}, "the command is build or validate"),
        (["build"], {"PACKER": "no-such-packer"}, "there is no no-such-packer"),
        (["build"], {"PACKER": "true"}, "name the region"),
        (["build"], {"PACKER": "true", "REGION": "eu-central-1", "COMMIT": "nowhere"}, "there is no commit nowhere"),
    ],
)
def test_bake_says_what_is_missing(arguments: list[str], environment: dict[str, str], words: str) -> None:
    done = bake(*arguments, **environment)
    assert done.returncode == 2
    assert words in done.stdout


def test_bake_validates_a_commit() -> None:
    program("packer", "packer")
    if run("git", "rev-parse", "--verify", "HEAD:packer/bake", cwd=ROOT).returncode != 0:
        pytest.skip("HEAD has no packer/bake yet: only what is committed is baked")
    done = bake("validate", REGION="eu-central-1", BUILDER_CIDR="198.51.100.7/32")
    assert done.returncode == 0, done.stdout


def test_code_of_an_instance_needs_only_the_standard_library() -> None:
    """It runs before, beside and without the application."""
    for path in (PACKER / "instance").glob("*.py"):
        imported = {
            node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        foreign = {name.partition(".")[0] for name in imported if name} - set(sys.stdlib_module_names)
        assert foreign <= {"nginx", "packer"}, path.name
