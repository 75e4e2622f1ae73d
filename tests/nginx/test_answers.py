"""Everything that nginx answers by itself is a problem document; what the application answers passes untouched."""

import re
from pathlib import Path

import pytest
import requests

from api.security_headers import SECURITY_HEADERS
from tests.nginx.gateway import Running, free_port, gateway
from tests.nginx.raw import Answer, send
from tests.nginx.upstream import BUSY, Upstream

HOST = b"Host: hush\r\n"
CHUNK = b"100001\r\n" + bytes(2**20 + 1) + b"\r\n"
REQUESTS = {
    "no HTTP": (400, b"GET / HTTP/1.1 and more\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two lengths": (400, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    "bad length": (400, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n"),
    "bad chunk": (400, b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "hidden location": (404, b"GET /.problem HTTP/1.1\r\n" + HOST + b"\r\n"),
    "trace": (405, b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "length over the limit": (413, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1048577\r\n\r\n"),
    "chunk over the limit": (413, b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK),
    "long address": (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "large header": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X-Large: " + b"a" * 9000 + b"\r\n\r\n"),
    "many headers": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X-Some: " + b"a" * 7000 + b"\r\n" + b"X-Some: " * 9000),
    "unknown coding": (501, b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: zip\r\n\r\n"),
    "HTTP of the future": (505, b"GET / HTTP/4.0\r\n" + HOST + b"\r\n"),
}


def check_problem(answer: Answer, status: int, running: Running) -> None:
    problem = answer.problem
    assert answer.status == problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"] not in ("", "Error")
    assert len(problem["detail"]) > 20
    assert "$" not in answer.body.decode()
    assert answer.headers["x-request-id"] == problem["request_id"]
    assert {name: answer.headers[name.lower()] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "strict-transport-security" not in answer.headers  # there is no TLS here
    assert [entry["status"] for entry in running.log(problem["request_id"])] == [status]


@pytest.mark.parametrize("name", REQUESTS)
def test_refused_by_nginx(front: Running, backend: Upstream, name: str) -> None:
    status, request = REQUESTS[name]
    before = len(backend.hits)
    check_problem(send(front, request), status, front)
    assert len(backend.hits) == before


@pytest.mark.parametrize(("target", "instance"), [(b"/a/b?c=%22", "/a/b"), (b'/a"b', None), (b"/%22", "/%22")])
def test_instance_is_the_path(front: Running, target: bytes, instance: str | None) -> None:
    answer = send(front, b"TRACE " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer.problem.get("instance") == instance


def test_words_name_the_limit(front: Running) -> None:
    problem = send(front, REQUESTS["length over the limit"][1]).problem
    assert "1 MiB" in problem["detail"]
    assert problem["limit_bytes"] == 2**20


def test_body_at_the_limit_passes(front: Running) -> None:
    answer = requests.post(f"{front.url}/echo", data=bytes(2**20), timeout=10)
    assert answer.status_code == 200
    assert answer.json()["length"] == 2**20


def test_chunked_body_arrives_whole(front: Running) -> None:
    answer = requests.post(f"{front.url}/echo", data=iter([b"ab", b"c" * 100_000]), timeout=10)
    assert answer.json()["length"] == 100_002


def test_nobody_listens(need_nginx: None, tmp_path: Path) -> None:
    with gateway(tmp_path, f"127.0.0.1:{free_port()}") as running:
        answer = send(running, b"GET /models HTTP/1.1\r\n" + HOST + b"\r\n")
        check_problem(answer, 502, running)
        assert answer.headers["retry-after"] == "5"


def test_slow_application(front: Running, backend: Upstream) -> None:
    answer = send(front, b"POST /slow HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\nx")
    check_problem(answer, 504, front)
    assert "1 seconds" in answer.problem["detail"]
    assert backend.hits.count("/slow") == 1  # a second try would double the load


def test_post_is_tried_again_when_the_worker_dies(front: Running, backend: Upstream) -> None:
    answer = requests.post(f"{front.url}/dies-once", data=b"abc", timeout=10)
    assert answer.status_code == 200
    assert answer.json()["length"] == 3
    assert backend.hits.count("/dies-once") == 2


def test_worker_that_always_dies(front: Running, backend: Upstream) -> None:
    answer = send(front, b"POST /dies HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\nx")
    check_problem(answer, 502, front)
    assert backend.hits.count("/dies") == 2
    assert requests.get(f"{front.url}/echo", timeout=10).status_code == 200  # the address is not banned for it


def test_errors_of_the_application_pass(front: Running) -> None:
    answer = requests.get(f"{front.url}/busy", timeout=10)
    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (503, BUSY, "7")
    assert requests.get(f"{front.url}/missing", timeout=10).json() == {"title": "mine"}


def test_version_stays_inside(front: Running) -> None:
    assert requests.get(f"{front.url}/echo", timeout=10).headers["Server"] == "nginx"
    assert not re.search(rb"nginx/", send(front, REQUESTS["no host"][1]).body)
