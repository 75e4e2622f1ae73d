"""The documentation names what there is: targets, options, files, folders."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from nginx.render import Gateway, flag
from tests.test_conventions import FILES, ROOT, name_of

DOCUMENTS = [path for path in FILES if path.suffix == ".md"]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^\.PHONY: ([a-z-]+)$", MAKEFILE, re.MULTILINE))
# Folders an operator works in: each says what for, with what, how to run, to check and to undo.
OPERATED = [name for name in ("nginx", "packer", "terraform", "jmeter") if (ROOT / name).is_dir()]
SECTIONS = ["Purpose", "Inputs", "Run", "Verify", "Roll back"]


def test_every_target_has_a_line_of_help() -> None:
    explained = dict(re.findall(r"^([a-z-]+):.*?## (.+)$", MAKEFILE, re.MULTILINE))
    assert set(explained) == TARGETS
    assert [name for name, words in explained.items() if len(words) < 10] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_targets_that_are_named_exist(document: Path) -> None:
    text = document.read_text()
    named = set(re.findall(r"(?:^ {4}|^\$ |`)make ([a-z][a-z-]*)", text, re.MULTILINE))
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        named |= set(re.findall(r"^make ([a-z][a-z-]*)", block, re.MULTILINE))
    assert named - TARGETS == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_readme_names_the_main_targets() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in ("run", "stack", "test", "lint", "help") if f"make {name}" not in readme] == []


@pytest.mark.parametrize("folder", OPERATED)
def test_operated_folders_have_a_readme(folder: str) -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / folder / "README.md").read_text(), re.MULTILINE)
    assert [section for section in SECTIONS if section not in headings] == []


def test_options_of_nginx_are_documented() -> None:
    rows = re.findall(
        r"^\| `(--[a-z-]+)` \| (.*?) \| (.*) \|$", (ROOT / "nginx" / "README.md").read_text(), re.MULTILINE
    )
    expected = []
    for item in fields(Gateway):
        default = "none" if item.default in ("", ()) else f"`{item.default}`"
        expected.append((flag(item), default, item.metadata["says"]))
    assert rows == expected


def test_every_directive_of_nginx_says_why() -> None:
    """Each paragraph with a directive has a comment."""
    bare = []
    for path in (ROOT / "nginx" / "templates").iterdir():
        for paragraph in path.read_text().split("\n\n"):
            directives = re.findall(r"^\s*[a-z_]+ .*;$", paragraph, re.MULTILINE)
            if directives and not re.search(r"^\s*#", paragraph, re.MULTILINE):
                bare.append(f"{name_of(path)}: {directives[0].strip()}")
    assert bare == []


def test_decisions_have_numbers_of_their_own() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert names
    assert [name for name in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)] == []
    numbers = [name[:4] for name in names]
    assert len(set(numbers)) == len(numbers)
