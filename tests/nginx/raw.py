"""Sends bytes as they are, for requests that a decent HTTP client refuses to make."""

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from tests.nginx.gateway import Running


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in lower case) and body of one answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body as a problem document; fails when it is none."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        return dict(json.loads(self.body))


def send(running: Running, request: bytes) -> Answer:
    """Sends `request` and reads one answer."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(request)
        with contextlib.closing(http.client.HTTPResponse(connection)) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())
