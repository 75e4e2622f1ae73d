"""Writes the tables of inputs and outputs into every README.md of the stack: `python -m terraform.tables`.

They stand between `<!-- tables -->` and `<!-- end -->` and are made from variables.tf and outputs.tf, so they cannot
drift; a test compares.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
MARKED = re.compile(r"(?<=<!-- tables -->\n).*?(?=<!-- end -->)", re.DOTALL)


def modules() -> list[Path]:
    """The root module and all others."""
    return [HERE, *sorted((HERE / "modules").iterdir())]


def blocks(kind: str, file: Path) -> Iterator[tuple[str, str]]:
    """Name and body of every top-level block of a kind."""
    for found in re.finditer(rf'^{kind} "(\w+)" {{\n(.*?)^}}', file.read_text(), re.MULTILINE | re.DOTALL):
        yield found[1], found[2]


def attribute(body: str, name: str) -> str:
    """The text of an attribute of a block, of the first line where it goes on; empty where it is missing."""
    found = re.search(rf"^  {name} += (.+)$", body, re.MULTILINE)
    return found[1] if found else ""


def kind(body: str) -> str:
    """The type in short: what an object holds stands in variables.tf."""
    return re.sub(r"\(?\{.*|\(object.*", "", attribute(body, "type"))


def default(body: str) -> str:
    """The default in short, or that there is none."""
    text = attribute(body, "default")
    return f"`{text}`" if text else "required"


def says(body: str) -> str:
    """The description, as Markdown takes it in a table."""
    return attribute(body, "description").strip('"').replace('\\"', '"').replace("|", "\\|")


def tables(module: Path) -> str:
    """Both tables of a module."""
    lines = ["| input | type | default | what it is |", "| --- | --- | --- | --- |"]
    for name, body in blocks("variable", module / "variables.tf"):
        lines.append(f"| `{name}` | {kind(body)} | {default(body)} | {says(body)} |")
    lines += ["", "| output | what it is |", "| --- | --- |"]
    lines += [f"| `{name}` | {says(body)} |" for name, body in blocks("output", module / "outputs.tf")]
    return "\n".join(lines) + "\n"


def rendered(module: Path) -> str:
    """The module's README with the tables of now; raises ValueError where the marks are missing."""
    text = (module / "README.md").read_text()
    if not MARKED.search(text):
        raise ValueError(f"{module / 'README.md'} has no marks for the tables")
    made = tables(module)
    return MARKED.sub(lambda _: made, text)


def main() -> int:
    """Rewrites all of them."""
    for module in modules():
        (module / "README.md").write_text(rendered(module))
    return 0


if __name__ == "__main__":
    sys.exit(main())
