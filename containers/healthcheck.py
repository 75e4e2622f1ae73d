"""The health check of both images: `python -m containers.healthcheck [URL]`, status 0 for an answer of 200, else 1.

Without a URL it asks /readyz where gunicorn listens (`HUSH_BIND`), on a port or a unix socket. The certificate of a
URL is not checked: the question goes to the same container. Standard library only; images need no curl for it.
"""

import http.client
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

SECONDS = 4.0  # below the timeout of HEALTHCHECK


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Overrides the connection to a host and port."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


def bound(bind: str) -> http.client.HTTPConnection:
    """A connection to a server that was told HUSH_BIND=`bind`."""
    if bind.startswith("unix:"):
        return SocketConnection(bind.removeprefix("unix:"))
    host, _, port = bind.rpartition(":")
    local = "127.0.0.1" if host in ("", "0.0.0.0") else "::1" if host == "[::]" else host.strip("[]")  # nosec B104: where it asks
    return http.client.HTTPConnection(local, int(port), timeout=SECONDS)


def remote(url: str) -> tuple[http.client.HTTPConnection, str]:
    """A connection for a URL of http or https, and its path."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path or "/"
    if parts.scheme == "https":
        unchecked = ssl._create_unverified_context()  # nosec B323: asks itself whether it answers
        return http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=unchecked), path
    return http.client.HTTPConnection(host, parts.port, timeout=SECONDS), path


def main(arguments: list[str]) -> int:
    """0 when the server answers 200; else 1 with what happened on stderr."""
    try:
        if arguments:
            connection, path = remote(arguments[0])
        else:
            connection, path = bound(os.environ.get("HUSH_BIND", "127.0.0.1:8000")), "/readyz"
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"healthcheck: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if status != 200:
        print(f"healthcheck: {path} answers {status}", file=sys.stderr)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
