"""The recipe of the images and the file of the services, without building anything."""

import ast
import fnmatch
import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.cloud.programs import ROOT, cloud_tool, program, run

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()
IGNORE = (ROOT / ".dockerignore").read_text().split("\n")
FINAL = DOCKERFILE[DOCKERFILE.index("AS app\n") :]


def test_hadolint() -> None:
    done = run(cloud_tool("hadolint"), str(ROOT / "Dockerfile"))
    assert done.returncode == 0, done.stdout


def test_compose_fits_its_schema() -> None:
    done = run(cloud_tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(ROOT / "compose.yaml"))
    assert done.returncode == 0, done.stdout


def test_shellcheck() -> None:
    done = run(program("shellcheck", "shellcheck"), str(ROOT / "containers" / "gateway"))
    assert done.returncode == 0, done.stdout


def imported(folder: Path, seen: set[str]) -> None:
    """Adds the project's own top-level names that the Python files below `folder` import, and theirs."""
    for path in folder.rglob("*.py") if folder.is_dir() else [folder]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in {name.partition(".")[0] for name in names} - seen:
                if name and ((ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()):
                    seen.add(name)
                    imported(ROOT / name if (ROOT / name).is_dir() else ROOT / f"{name}.py", seen)


@pytest.fixture(scope="module")
def needed() -> set[str]:
    """Top-level names of the project that a running service imports."""
    found = {"wsgi", "gunicorn_conf"}
    for name in ("wsgi.py", "gunicorn_conf.py"):
        imported(ROOT / name, found)
    assert {"api", "inference"} <= found
    return found


def test_what_the_service_imports_is_in_the_image(needed: set[str]) -> None:
    lines = re.findall(r"^COPY (?!--)(.+)$", FINAL, re.MULTILINE)
    assert needed - {word.removesuffix(".py") for line in lines for word in line.split()} == set()


def test_what_the_service_imports_is_in_the_machine_image(needed: set[str]) -> None:
    """packer/bake names what it archives."""
    text = (ROOT / "packer" / "bake").read_text().replace("\\\n", " ")
    archived = re.search(r"archive --format .*", text)
    assert archived
    assert needed - {word.removesuffix(".py") for word in archived[0].split()} == set()


def is_left_out(path: str) -> bool:
    """What the last rule of .dockerignore that fits says, as the builders decide it."""
    left_out = False
    for rule in filter(None, IGNORE):
        pattern = rule.removeprefix("!").removeprefix("**/")
        parts = path.split("/")
        heads = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        fits = any(fnmatch.fnmatchcase(part, pattern) for part in ([*heads, *parts] if "**" in rule else heads))
        if not rule.startswith("#") and fits and pattern.count("/") <= path.count("/"):
            left_out = not rule.startswith("!")
    return left_out


@pytest.mark.parametrize("path", ["api/app.py", "models/hyperparams.json", "nginx/templates/nginx.conf", "wsgi.py"])
def test_what_is_copied_reaches_the_build(path: str) -> None:
    assert not is_left_out(path)


@pytest.mark.parametrize(
    "path", [".git/config", "tls/key.pem", "terraform/terraform.tfvars", "tests/servers.py", ".env"]
)
def test_what_is_private_stays_out(path: str) -> None:
    assert is_left_out(path)


def test_copied_paths_are_let_through() -> None:
    """Nothing that a COPY names is kept out by .dockerignore."""
    sources = [
        word for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists() or is_left_out(source)] == []


def test_settings_exist() -> None:
    """Every HUSH_ variable that the files set is one that the service knows."""
    pytest.importorskip("torch", reason="torch is not installed in this environment")
    from api.settings import Settings

    known = {f"HUSH_{item.name.upper()}" for item in fields(Settings)}
    named = set(re.findall(r"^\s+(HUSH_[A-Z_]+)[:=]", DOCKERFILE + COMPOSE, re.MULTILINE))
    if not (ROOT / "api" / "jobs" / "consumer.py").exists():
        named.discard("HUSH_JOBS_DIR")  # comes with the consumer
    assert len(named) >= 5
    assert named - known == set()


def test_neither_image_runs_as_root() -> None:
    for target in ("gateway", "app"):
        stage = re.split(r"^FROM ", DOCKERFILE[DOCKERFILE.index(f"AS {target}\n") :], flags=re.MULTILINE)[0]
        assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE) == ["10001:10001"]
        assert "HEALTHCHECK" in stage


def test_the_images_have_the_pins_of_the_machine_image() -> None:
    assert "packer/requirements.lock" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE


def test_variables_of_compose_are_documented_and_used() -> None:
    """Each `${NAME` of compose.yaml is in the table of docs/containers.md, each GATEWAY_ variable in the script."""
    documented = (ROOT / "docs" / "containers.md").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    assert {name for name in asked if f"`{name}`" not in documented} == set()
    script = (ROOT / "containers" / "gateway").read_text()
    given = set(re.findall(r"^\s+(GATEWAY_[A-Z_]+):", COMPOSE, re.MULTILINE))
    assert given - set(re.findall(r"\$\{(GATEWAY_[A-Z_]+)", script)) == set()
