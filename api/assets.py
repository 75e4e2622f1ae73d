"""The files of the pages, read once before the fork and held in memory.

Pages name their files under a version that stands for the content of all of them, static/VERSION/NAME, so that the
files may be kept for ever and a new build is seen at once. The modules import each other by relative names and need
to know nothing of it.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

OWN = Path(__file__).parent / "static"
SWAGGER_UI = ("swagger-ui.css", "swagger-ui-bundle.js")  # of the package flask-swagger-ui, which carries them
MEDIA_TYPES = {
    ".css": "text/css",
    ".flac": "audio/flac",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
DIGITS = 16  # of the hashes; they tell builds apart, nobody is kept out by them


@dataclass(frozen=True)
class HeldFile:
    """A file in memory."""

    content: bytes
    media_type: str
    etag: str


@dataclass(frozen=True)
class Assets:
    """`pages` by name without extension, `files` by name, and the version of both together."""

    version: str
    pages: dict[str, HeldFile]
    files: dict[str, HeldFile]


def load_assets() -> Assets:
    """All files of the pages."""
    swagger = files("flask_swagger_ui") / "dist"
    sources: list[Traversable] = [*sorted(OWN.iterdir()), *(swagger / name for name in SWAGGER_UI)]
    contents = {source.name: source.read_bytes() for source in sources}
    version = _digest(b"".join(name.encode() + content for name, content in contents.items()))
    pages, static = {}, {}
    for name, content in contents.items():
        if name.endswith(".html"):
            pages[name.removesuffix(".html")] = held(name, content.replace(b"@VERSION@", version.encode()))
        else:
            static[name] = held(name, content)
    return Assets(version, pages, static)


def held_json(document: dict[str, Any]) -> HeldFile:
    """A JSON document that does not change while the service runs."""
    return held(".json", json.dumps(document).encode())


def held(name: str, content: bytes) -> HeldFile:
    """A file with the media type of its name."""
    return HeldFile(content, MEDIA_TYPES[name[name.rindex(".") :]], _digest(content))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
