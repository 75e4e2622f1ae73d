"""The commands in the documents are executed, as far as they can be here.

Above every block of shell commands stands what becomes of it:
    <!-- test: run -->          executed, in a folder that has the repository's files and is thrown away
    <!-- test: run server -->   the same, with a server of the project in place of http://127.0.0.1:8000
    <!-- skip: REASON -->       not executed; the shell must still understand it
The blocks of a document share one folder and run in their order. A block fails with its first command.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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
        if not path.name.startswith(".") and path.name != "tls":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def execute(block: Block, folder: Path, server: str) -> None:
    """Fails with the output unless every command of the block succeeds in time."""
    text = block.text.replace(ADDRESS, server) if server else block.text
    # A status of 4xx or 5xx is a failure here, which curl alone does not make of it.
    text = re.sub(r"^curl ", "curl --fail --silent --show-error --max-time 50 ", text, flags=re.MULTILINE)
    command = ["bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{name_of(block.document)}:\n{block.text}\n{done.stdout[-500:]}{done.stderr[-1500:]}"


@pytest.mark.parametrize("document", EXECUTED, ids=name_of)
def test_commands_do_what_they_say(document: Path, folder: Path, request: pytest.FixtureRequest) -> None:
    for program in ("bash", "curl", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    for block in blocks(document):
        if block.mark.startswith("test: "):
            server = request.getfixturevalue("server") if block.mark == "test: run server" else ""
            execute(block, folder, server)
            wanted = re.findall(r"(?:-o|-out|-keyout) (\S+)", block.text)
            assert [name for name in wanted if not (folder / name).stat().st_size] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_block_is_run_or_says_why_not(document: Path) -> None:
    known = re.compile(r"test: run( server)?|skip: \S.{9,}")
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
        execute(wrong, folder, "")
