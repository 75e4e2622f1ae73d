"""Who may use the service: API keys where there are any, pages of other origins where they are allowed.

Both are off by default. What the probes of a balancer and a person who reads the description need is open to all:
the operations tagged as in OPEN_TAGS.
"""

import re
from collections.abc import Collection

from flask import Flask, Response, g, request
from werkzeug.datastructures import Authorization

from api.errors import KeyRequired
from api.keys import KeyRing
from api.specification.operations import OPEN_TAGS, OPERATIONS

KEY_HEADER = "X-API-Key"
# What a page of another origin may send and read beyond what browsers always allow (Fetch standard).
SENT_HEADERS = (
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    KEY_HEADER,
    "X-Request-Id",
)
SHOWN_HEADERS = (
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "Server-Timing",
    "WWW-Authenticate",
    "X-Cache",
    "X-Clipped-Samples",
    "X-Gain-Db",
    "X-Model",
    "X-Model-Version",
    "X-Request-Id",
    "X-Seed",
)
PREFLIGHT_SECONDS = 3600


def demand_keys(app: Flask, keys: KeyRing) -> None:
    """From now on every operation that is not open needs a key; `g.key_name` is the holder's name."""
    free = open_endpoints(app)

    def check() -> None:
        # Whoever asks for what does not exist learns that, and a preflight cannot bring a key (Fetch standard).
        if request.url_rule is None or request.endpoint in free or request.method == "OPTIONS":
            return
        g.key_name = keys.holder(presented_key())

    app.before_request(check)


def open_endpoints(app: Flask) -> set[str]:
    """The endpoints all of whose operations are open. What the table of operations does not know is not."""
    free: set[str] = set()
    closed: set[str] = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        operations = [
            OPERATIONS.get((method.lower(), path)) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        ]
        is_open = all(operation is not None and operation.tag in OPEN_TAGS for operation in operations)
        (free if is_open else closed).add(rule.endpoint)
    return free - closed


def presented_key() -> str:
    """The key of the current request: `Authorization: Bearer KEY`, else `X-API-Key: KEY`; raises KeyRequired."""
    given: Authorization | None = request.authorization
    if given is not None and given.type == "bearer" and given.token:
        return given.token
    key = request.headers.get(KEY_HEADER)
    if not key:
        raise KeyRequired()
    return key


def allow_origins(app: Flask, origins: Collection[str]) -> None:
    """Pages of these origins may use the service from a browser (CORS). Cookies play no part: there are none."""

    def admit(answer: Response) -> Response:
        answer.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin not in origins:
            return answer
        answer.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            answer.headers["Access-Control-Allow-Methods"] = answer.headers.get("Allow", "")
            answer.headers["Access-Control-Allow-Headers"] = ", ".join(SENT_HEADERS)
            answer.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        else:
            answer.headers["Access-Control-Expose-Headers"] = ", ".join(SHOWN_HEADERS)
        return answer

    app.after_request(admit)
