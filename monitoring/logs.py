"""The lines of requests in logs of the application."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def request_lines(files: Iterable[Path]) -> Iterator[Line]:
    """Every line of a request in `files` (plain or .gz); what else a log holds is passed over. Raises OSError."""
    for file in files:
        with gzip.open(file, "rt", errors="replace") if file.suffix == ".gz" else file.open(errors="replace") as log:
            yield from filter(None, map(_request, log))


def _request(text: str) -> Line | None:
    if not text.startswith("{"):
        return None
    try:
        line = json.loads(text)
    except ValueError:  # cut off by a rotation
        return None
    return line if isinstance(line, dict) and line.get("message") == "request" else None
