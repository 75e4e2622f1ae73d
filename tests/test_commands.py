"""The commands in the documents are executed, as far as they can be here.

Above every block of shell commands stands what becomes of it:
    <!-- test: run -->          executed, in a folder that has the repository's files and is thrown away
    <!-- test: run server -->   the same, with a server of the project in place of http://127.0.0.1:8000
    <!-- test: run keys -->     with a server that demands keys, and a key of it in place of load-test.SECRET
    <!-- test: run jobs -->     with a server and a consumer; line by line, with the id of the first answer for ID
    <!-- skip: REASON -->       not executed; the shell must still understand it
The blocks of a document share one folder and run in their order. A block fails with its first command. What a document
takes for granted, and which of its words stand for smaller ones, is in tests/documented.py.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.jobs.running import Service, service
from tests.documented import TRIALS, Trial
from tests.servers import start_gunicorn
from tests.test_conventions import FILES, ROOT, name_of

SECONDS = 120  # importing torch on a busy machine
ADDRESS = "http://127.0.0.1:8000"
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]+?) -->\n)?^```(?:sh|bash|shell|console)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
INDENTED = re.compile(r"^ {4}(?:make|curl|python|sudo|aws|terraform|docker|nginx|\.venv/bin/python) ", re.MULTILINE)
# Their commands are all in such blocks.
CONVERTED = ["README.md", "CONTRIBUTING.md", "docs/deployment.md", "docs/containers.md"]
CONVERTED += ["nginx/README.md", "packer/README.md", "terraform/README.md"]
CONVERTED += ["docs/api.md", "docs/operations.md", "docs/security.md", "docs/training.md"]


@dataclass(frozen=True)
class Block:
    """Shell commands of a document."""

    document: Path
    mark: str  # of the comment above it; empty without one
    text: str


def blocks(document: Path) -> list[Block]:
    """All of a document, in their order."""
    found = BLOCK.finditer(document.read_text(encoding="utf-8"))
    return [Block(document, match["mark"] or "", match["text"]) for match in found]


DOCUMENTS = [path for path in FILES if path.suffix == ".md" and blocks(path)]
EXECUTED = [path for path in DOCUMENTS if any(block.mark.startswith("test: ") for block in blocks(path))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The repository's files and the environment of the tests as .venv, by links: what is made stays here."""
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in ("tls", "runs"):
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server that demands keys, and one that it takes."""
    folder = tmp_path_factory.mktemp("keys")
    made = subprocess.run(
        [sys.executable, "-m", "api.keys", "new", "load-test"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (folder / "keys").write_text(made.stdout)
    key = re.search(r"load-test\.[\w-]+", made.stderr)
    assert key is not None, made.stderr
    with start_gunicorn(folder, HUSH_WORKERS="1", HUSH_API_KEYS_FILE=str(folder / "keys")) as server:
        yield server.url, key[0]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that takes jobs, and a consumer."""
    with service(tmp_path_factory.mktemp("jobs")) as running:
        running.start_consumer()
        yield running


def prepare(folder: Path, trial: Trial) -> None:
    """What the document takes for granted."""
    for name in trial.copied:
        (folder / name).unlink()
        shutil.copytree(ROOT / name, folder / name)
    trial.material(folder)


def execute(block: Block, folder: Path, text: str) -> str:
    """The output; fails with it unless every command of `text`, made of the block, succeeds in time."""
    # A status of 4xx or 5xx is a failure here, which curl alone does not make of it.
    text = re.sub(r"^curl ", "curl --fail --silent --show-error --max-time 50 ", text, flags=re.MULTILINE)
    command = ["bash", "-euo", "pipefail", "-c", text]
    environment = {**os.environ, "PATH": f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{name_of(block.document)}:\n{text}\n{done.stdout[-500:]}{done.stderr[-1500:]}"
    return done.stdout


def execute_job(block: Block, folder: Path, text: str, running: Service) -> None:
    """Line by line: the first answer names the job, and its result is asked for when it is there."""
    path = ""
    for line in text.splitlines():
        if "/audio" in line:
            running.wait(path, "done")
        answer = execute(block, folder, line.replace("/jobs/ID", path or "/jobs/ID"))
        found = re.search(r"^Location: (/jobs/[0-9a-f]{32})\r?$", answer, re.MULTILINE)
        path = found[1] if found else path
    assert path, f"{name_of(block.document)}: no job was made"


@pytest.mark.parametrize("document", EXECUTED, ids=name_of)
def test_commands_do_what_they_say(document: Path, folder: Path, request: pytest.FixtureRequest) -> None:
    for program in ("bash", "curl", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    trial = TRIALS.get(name_of(document), Trial())
    prepare(folder, trial)
    models = (ROOT / "models" / "hyperparams.json").read_bytes()
    for block in blocks(document):
        if not block.mark.startswith("test: "):
            continue
        text = block.text
        for word, stand_in in trial.instead.items():
            text = text.replace(word, stand_in)
        kind = block.mark.removeprefix("test: run").strip()
        if kind == "jobs":
            running: Service = request.getfixturevalue("jobs")
            execute_job(block, folder, text.replace(ADDRESS, running.url), running)
        elif kind == "keys":
            url, key = request.getfixturevalue("keys")
            execute(block, folder, text.replace(ADDRESS, url).replace("load-test.SECRET", key))
        elif kind == "server":
            execute(block, folder, text.replace(ADDRESS, request.getfixturevalue("server")))
        else:
            execute(block, folder, text)
        wanted = re.findall(r"(?<!\S)(?:-o |-out |-keyout |--out |--json |>>?)(\S+)", text)
        assert [name for name in wanted if not (folder / name).is_dir() and not (folder / name).stat().st_size] == []
    assert (ROOT / "models" / "hyperparams.json").read_bytes() == models, "the document needs a copy of the models"


@pytest.mark.parametrize("name", TRIALS)
def test_words_that_are_replaced_are_there(name: str) -> None:
    commands = "".join(block.text for block in blocks(ROOT / name))
    assert [word for word in TRIALS[name].instead if word not in commands] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_block_is_run_or_says_why_not(document: Path) -> None:
    known = re.compile(r"test: run( server| keys| jobs)?|skip: \S.{9,}")
    assert [block.text for block in blocks(document) if not known.fullmatch(block.mark)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_shell_understands_every_block(document: Path) -> None:
    for block in blocks(document):
        done = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.text}\n{done.stderr}"


@pytest.mark.parametrize("name", CONVERTED)
def test_no_command_hides_in_an_indented_block(name: str) -> None:
    outside = BLOCK.sub("", (ROOT / name).read_text(encoding="utf-8"))
    assert INDENTED.findall(outside) == []


def test_the_readme_is_executed() -> None:
    assert ROOT / "README.md" in EXECUTED


def test_a_failing_command_is_found(folder: Path) -> None:
    wrong = Block(ROOT / "README.md", "test: run", "false | cat\necho not reached\n")
    with pytest.raises(AssertionError, match="false"):
        execute(wrong, folder, wrong.text)
