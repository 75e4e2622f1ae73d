"""The form of every error answer: RFC 9457 problem details."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"
NO_TYPE = "about:blank"  # RFC 9457, 4.2.1: the problem says no more than its status


def phrase(status: int) -> str:
    """The name of an HTTP status."""
    return HTTPStatus(status).phrase


def document(status: int, detail: str, evidence: Mapping[str, Any], *, kind: str = NO_TYPE, title: str = "") -> bytes:
    """A problem document; `kind` is its type URI, `evidence` what the error was made from."""
    known = {"type": kind, "title": title or phrase(status), "status": status, "detail": detail}
    return json.dumps({**known, **{key: value for key, value in evidence.items() if key not in known}}).encode()
