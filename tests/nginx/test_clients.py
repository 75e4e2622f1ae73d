"""Who a client is taken for, how much one client may ask, and the id that ties its request to the logs."""

import json
import re
from ipaddress import ip_network
from pathlib import Path

import pytest
import requests

from tests.nginx.gateway import Running, gateway
from tests.nginx.raw import send
from tests.nginx.upstream import Upstream

HEX_ID = re.compile(r"[0-9a-f]{32}")


def statuses(running: Running, path: str, count: int, **headers: str) -> list[int]:
    return [requests.get(running.url + path, headers=headers, timeout=10).status_code for _ in range(count)]


def test_rate_limit(backend: Upstream, tmp_path: Path) -> None:
    with gateway(tmp_path, backend.address, rate=10, burst=3) as running:
        assert statuses(running, "/models", 5) == [200, 200, 200, 200, 429]
        answer = send(running, b"POST /predict HTTP/1.1\r\nHost: hush\r\nContent-Length: 1\r\n\r\nx")
        assert answer.status == answer.problem["status"] == 429
        assert answer.headers["retry-after"] == "6"
        assert "10 requests a minute" in answer.problem["detail"]
        assert running.log(answer.problem["request_id"])[0]["limit"] == "REJECTED"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version", "/metrics"])
def test_health_is_never_limited(backend: Upstream, tmp_path: Path, path: str) -> None:
    with gateway(tmp_path, backend.address, rate=1, burst=1) as running:
        assert statuses(running, "/models", 3) == [200, 200, 429]
        assert statuses(running, f"{path}?a=1", 20) == [200] * 20


def test_metrics_are_not_for_the_public(backend: Upstream, tmp_path: Path) -> None:
    """Through a balancer nobody gets them, whether it is known as one or not, and whatever address it names."""
    with gateway(tmp_path, backend.address, trusted=("127.0.0.0/8",)) as running:
        assert requests.get(f"{running.url}/metrics", timeout=10).status_code == 200
        for forwarded in ("192.0.2.1", "10.0.0.1"):
            answer = requests.get(f"{running.url}/metrics", headers={"X-Forwarded-For": forwarded}, timeout=10)
            assert answer.status_code == answer.json()["status"] == 403
            assert "private networks" in answer.json()["detail"]
    networks = re.findall(r"^ *allow (\S+);$", (tmp_path / "nginx.conf").read_text(), re.MULTILINE)
    assert networks
    assert all(ip_network(network).is_private for network in networks)


def test_rate_is_counted_per_client_behind_a_balancer(backend: Upstream, tmp_path: Path) -> None:
    with gateway(tmp_path, backend.address, rate=1, burst=1, trusted=("127.0.0.0/8",)) as running:
        assert statuses(running, "/models", 3, **{"X-Forwarded-For": "192.0.2.1"}) == [200, 200, 429]
        assert statuses(running, "/models", 3, **{"X-Forwarded-For": "192.0.2.2"}) == [200, 200, 429]


def test_forwarded_headers_of_strangers_are_not_believed(backend: Upstream, tmp_path: Path) -> None:
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
    with gateway(tmp_path, backend.address, trusted=("192.0.2.0/24", "2001:db8::/32")) as running:
        answer = requests.get(running.url, headers=forged, timeout=10)
        seen = answer.json()["headers"]
        assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
        assert running.log(answer.headers["X-Request-Id"])[0]["client"] == "127.0.0.1"


@pytest.mark.parametrize("passed", ["", ", 10.0.0.7"], ids=["one balancer", "two balancers"])
def test_forwarded_headers_of_the_balancer_are_believed(backend: Upstream, tmp_path: Path, passed: str) -> None:
    # The client wrote the first address itself; the first balancer appended the second, which is the truth.
    forwarded = {"X-Forwarded-For": f"198.51.100.9, 192.0.2.1{passed}", "X-Forwarded-Proto": "https"}
    with gateway(tmp_path, backend.address, trusted=("127.0.0.1/32", "10.0.0.0/8")) as running:
        answer = requests.get(running.url, headers=forwarded, timeout=10)
        seen = answer.json()["headers"]
        assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("192.0.2.1", "https")
        assert running.log(answer.headers["X-Request-Id"])[0]["client"] == "192.0.2.1"


@pytest.mark.parametrize("sane", ["a", "call-2024.07_x", "f" * 128])
def test_sane_request_id_is_taken_over(front: Running, sane: str) -> None:
    answer = requests.get(f"{front.url}/echo", headers={"X-Request-Id": sane}, timeout=10)
    assert answer.headers["X-Request-Id"] == answer.json()["headers"]["x-request-id"] == sane
    assert front.log(sane)[-1]["status"] == 200


@pytest.mark.parametrize("odd", ["", "f" * 129, "two words", 'a"b', "a;b", "a\xe9b", "a,b"])
def test_odd_request_id_is_replaced(front: Running, odd: str) -> None:
    headers = {"X-Request-Id": odd.encode("latin-1")}
    answer = requests.get(f"{front.url}/echo", headers=headers, timeout=10)
    assert HEX_ID.fullmatch(answer.headers["X-Request-Id"])
    assert answer.json()["headers"]["x-request-id"] == answer.headers["X-Request-Id"]


def test_ids_differ(front: Running) -> None:
    assert len({requests.get(front.url, timeout=10).headers["X-Request-Id"] for _ in range(5)}) == 5


def test_log_survives_hostile_text(front: Running) -> None:
    headers = {"User-Agent": 'a"b\\c\td', "X-Request-Id": "hostile"}
    requests.get(f'{front.url}/echo?q="&r=\\', headers=headers, timeout=10)
    (entry,) = front.log("hostile")
    assert entry["agent"] == 'a"b\\c\td'
    assert entry["upstream_status"] == "200"
    assert entry["bytes_out"] > 0
    assert 0 <= entry["seconds"] < 10


def test_every_line_is_json(front: Running) -> None:
    send(front, b"\x16\x03\x01 no HTTP at all\r\n\r\n")
    entries = [json.loads(line) for line in (front.folder / "access.log").read_text().splitlines()]
    assert entries
    assert all(set(entry) == set(entries[0]) for entry in entries)


@pytest.mark.parametrize(("path", "coding"), [("/json", "gzip"), ("/audio", None)])
def test_only_json_is_compressed(front: Running, path: str, coding: str | None) -> None:
    answer = requests.get(front.url + path, headers={"Accept-Encoding": "gzip"}, timeout=10)
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") == coding


def test_audio_passes_unchanged(front: Running) -> None:
    answer = requests.get(f"{front.url}/audio", timeout=10)
    assert answer.content == bytes(100_000)
    assert answer.headers["Content-Length"] == "100000"
