"""Webhooks: who is called, with which signature, how often; a real server receives them."""

import base64
import hashlib
import hmac
import http.client
import http.server
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from api.jobs import addresses, webhook
from api.jobs.refusals import WebhookRefused
from tests.api.jobs.conftest import SECRET, Bench
from tests.api.recordings import encoded, noise

SHORT = encoded(noise(1.0))
Received = list[tuple[str, dict[str, str], bytes]]


@contextmanager
def receiver(*statuses: int) -> Iterator[tuple[str, Received]]:
    """A server that answers with `statuses`, then 204; its address and what came."""
    received: Received = []
    left = list(statuses)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(left.pop(0) if left else 204)
            self.send_header("Location", self.path + "elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/told?by=hush", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def verify(headers: dict[str, str], body: bytes, secret: str = SECRET) -> None:
    """As a receiver does it, written down from the specification."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
    version, _, given = headers["webhook-signature"].partition(",")
    assert version == "v1"
    assert hmac.compare_digest(given, expected)
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 300


@pytest.fixture
def hooked(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench(webhook_secret=SECRET, webhook_hosts=("127.0.0.1",))


def test_it_is_signed_and_sent_once(hooked: Bench) -> None:
    with receiver() as (url, received):
        path = hooked.submit(SHORT, f"?webhook={url}")
        hooked.work(path)
        assert hooked.job(path)["webhook"] == "waiting"
        for _ in range(2):
            hooked.caretaker().round()
        assert hooked.job(path)["webhook"] == "delivered"
    ((where, headers, body),) = received
    assert where == "/told?by=hush"
    verify(headers, body)
    with pytest.raises(AssertionError):
        verify({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body)
    told = json.loads(body)
    assert told["type"] == "job.done"
    assert told["data"]["links"] == {"self": path, "audio": f"{path}/audio"}


def test_refusals_are_tried_again(hooked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))
    with receiver(500, 302) as (url, received):
        path = hooked.submit(SHORT, f"?webhook={url}")
        assert hooked.client.delete(path).status_code == 200
        for state in ("waiting", "waiting", "delivered", "delivered"):
            hooked.caretaker().round()
            assert hooked.job(path)["webhook"] == state
    assert [json.loads(body)["type"] for _, _, body in received] == ["job.cancelled"] * 3
    assert {where for where, _, _ in received} == {"/told?by=hush"}  # the redirect was not followed


def test_it_is_given_up(hooked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0,))
    with receiver(500, 500) as (url, received):
        path = hooked.submit(SHORT, f"?webhook={url}")
        hooked.client.delete(path)
        for _ in range(3):
            hooked.caretaker().round()
        assert hooked.job(path)["webhook"] == "given up"
    assert len(received) == 2


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.1.2.3/",
        "https://192.168.0.1:8443/hook",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://0x7f000001/",
        "https://2130706433/",
        "http://8.8.8.8/",
        "https://user:password@8.8.8.8/",
        "https://8.8.8.8/#part",
        "https://8.8.8.8:99999/",
        "https:///nowhere",
        "https://a..b/",
        "ftp://8.8.8.8/",
        "gopher://8.8.8.8/",
        "hook",
        "https://8.8.8.8/" + "x" * 2000,
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(WebhookRefused):
        addresses.check(url, ())


def test_addresses_that_are_taken() -> None:
    for url in ("https://8.8.8.8/", "https://8.8.8.8:8443/a?b=c", "https://[2001:4860:4860::8888]/"):
        addresses.check(url, ())
    addresses.check("http://127.0.0.1:8080/", ("127.0.0.1",))
    assert addresses.is_public(ipaddress.ip_address("2002:808:808::"))


def test_endpoint_refuses(hooked: Bench, make_bench: Callable[..., Bench]) -> None:
    for url in ("https://10.0.0.1/", "https://localhost/", "http://127.0.0.2/"):
        answer = hooked.post(SHORT, f"?webhook={url}")
        assert (answer.status_code, answer.get_json()["type"]) == (400, "urn:hush:problem:webhook-refused")
    unsigned = make_bench().post(SHORT, "?webhook=https://8.8.8.8/")
    assert (unsigned.status_code, "HUSH_WEBHOOK_SECRET" in unsigned.get_json()["detail"]) == (400, True)


def test_an_address_that_has_become_private_is_not_called(hooked: Bench, make_bench: Callable[..., Bench]) -> None:
    """At the time of the delivery everything is looked at again."""
    with receiver() as (url, received):
        path = hooked.submit(SHORT, f"?webhook={url}")
        hooked.client.delete(path)
        make_bench(webhook_secret=SECRET).caretaker().round()
        assert hooked.job(path)["webhook"] == "refused"
    assert received == []


def test_a_silent_server_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends a header line now and then, for ever."""
    monkeypatch.setattr(webhook, "ALL_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def dribble() -> None:
            peer, _ = server.accept()
            with peer:
                try:
                    peer.sendall(b"HTTP/1.1 200 OK\r\n")
                    while not ended.wait(0.1):
                        peer.sendall(b"X-Wait: a little\r\n")
                except OSError:
                    return

        thread = threading.Thread(target=dribble)
        thread.start()
        started = time.monotonic()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        call: dict[str, Any] = {"name": "a", "timestamp": 1, "secret": SECRET, "allowed": ("127.0.0.1",)}
        with suppress(OSError, http.client.HTTPException):
            webhook.deliver(url, b"{}", **call)
        assert time.monotonic() - started < 8
        ended.set()
        thread.join()
