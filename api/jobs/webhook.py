"""The message that tells a client's server that a job is over, signed as Standard Webhooks has it.

    webhook-id: JOB
    webhook-timestamp: seconds since 1970
    webhook-signature: v1,BASE64 of HMAC-SHA256(HUSH_WEBHOOK_SECRET, "ID.TIMESTAMP.BODY")

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

from api.jobs.addresses import Target, parsed, resolved

SECONDS = 10.0  # for connecting, and for each sign of life
ALL_SECONDS = 20.0  # for everything together
PAUSES = (2.0, 15.0, 60.0, 300.0, 1800.0)  # seconds until the next try; after the last one it is given up


class Undelivered(Exception):
    """The other side did not say 2xx."""


def message(kind: str, document: dict[str, Any]) -> bytes:
    """The body: what happened, such as job.done, and the job."""
    return json.dumps({"type": f"job.{kind}", "data": document}).encode()


def signature(secret: str, name: str, timestamp: str, body: bytes) -> str:
    """Value of `webhook-signature`."""
    signed = b".".join((name.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def deliver(url: str, body: bytes, *, name: str, timestamp: int, secret: str, allowed: tuple[str, ...] = ()) -> None:
    """Posts `body` to `url`; redirects are not followed.

    Raises `WebhookRefused` for an address that must not be called, OSError, http.client.HTTPException or `Undelivered`
    when another try may help.
    """
    target = parsed(url, allowed)
    connection = _connected(target, resolved(target, allowed))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "hush",
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, name, str(timestamp), body),
    }
    guard = threading.Timer(ALL_SECONDS, _break_off, (connection.sock,))
    guard.start()
    try:
        connection.request("POST", target.path, body, headers)
        status = connection.getresponse().status
    finally:
        guard.cancel()
        connection.close()
    if not 200 <= status < 300:
        raise Undelivered(f"the answer was {status}")


def _connected(target: Target, address: str) -> http.client.HTTPConnection:
    """A connection to `address` that speaks, and checks certificates, under the name of the target."""
    connection = http.client.HTTPConnection(target.host, target.port, timeout=SECONDS)
    plain = socket.create_connection((address, target.port), SECONDS)
    try:
        connection.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=target.host) if target.tls else plain
        )
    except BaseException:
        plain.close()
        raise
    return connection


def _break_off(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
