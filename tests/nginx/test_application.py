"""The real application behind the real gateway gives what it gives directly."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from api.security_headers import SECURITY_HEADERS
from tests.api.bad_input import AUDIO_ROWS
from tests.api.test_bad_input import WIRE
from tests.nginx.gateway import Running, gateway
from tests.nginx.raw import send
from tests.servers import Server


@pytest.fixture(scope="module")
def hush(need_nginx: None, gunicorn: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """nginx in front of the test run's gunicorn."""
    with gateway(tmp_path_factory.mktemp("hush"), f"127.0.0.1:{gunicorn.port}") as running:
        yield running


@pytest.mark.parametrize("form", ["multipart", "bare", "chunked"])
def test_audio_is_the_same_as_without_nginx(hush: Running, server: str, clips: Path, form: str) -> None:
    recording = (clips / "noisy.wav").read_bytes()

    def post(url: str) -> requests.Response:
        if form == "multipart":
            return requests.post(f"{url}/predict", files={"audio_file": recording}, timeout=60)
        body = recording if form == "bare" else iter([recording[:5000], recording[5000:]])
        return requests.post(f"{url}/predict", data=body, headers={"Content-Type": "audio/wav"}, timeout=60)

    direct = requests.post(f"{server}/predict", files={"audio_file": recording}, timeout=60)
    through = post(hush.url)
    assert (direct.status_code, through.status_code) == (200, 200)
    assert through.content == direct.content
    assert through.headers["Content-Disposition"] == direct.headers["Content-Disposition"]
    assert through.headers["Content-Length"] == str(len(direct.content))
    assert "Content-Encoding" not in through.headers


@pytest.mark.parametrize("row", AUDIO_ROWS)
def test_bad_audio_gets_the_answer_of_the_application(hush: Running, server: str, row: str) -> None:
    content, status, _, _ = AUDIO_ROWS[row]
    answers = [requests.post(f"{url}/predict", files={"audio_file": content}, timeout=30) for url in (server, hush.url)]
    assert [answer.status_code for answer in answers] == [status, status]
    direct, through = (answer.json() | {"request_id": "any"} for answer in answers)
    assert through == direct


@pytest.mark.parametrize("row", [name for name, (_, ends, _) in WIRE.items() if not ends])
def test_broken_http_is_answered_like_by_the_application(hush: Running, row: str) -> None:
    sent, _, status = WIRE[row]
    answer = send(hush, sent)
    assert answer.status == answer.problem["status"] == status


def test_the_application_closes_its_answers_itself(hush: Running) -> None:
    answer = requests.get(f"{hush.url}/models", timeout=10)
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS  # once each
    assert answer.headers["Server"] == "nginx"


def test_both_logs_can_be_joined_by_the_id(hush: Running) -> None:
    answer = requests.get(f"{hush.url}/models", headers={"X-Request-Id": "joined-1"}, timeout=10)
    assert answer.headers["X-Request-Id"] == "joined-1"
    problem = requests.get(f"{hush.url}/models/nobody", headers={"X-Request-Id": "joined-2"}, timeout=10)
    assert problem.json()["request_id"] == "joined-2"
    assert [hush.log(name)[0]["status"] for name in ("joined-1", "joined-2")] == [200, 404]


def test_problems_of_both_have_the_same_members(hush: Running) -> None:
    of_nginx = requests.request("TRACE", f"{hush.url}/models", timeout=10)
    of_application = requests.delete(f"{hush.url}/models", timeout=10)
    assert of_nginx.status_code == of_application.status_code == 405
    assert of_nginx.headers["Content-Type"] == of_application.headers["Content-Type"] == "application/problem+json"
    assert set(of_nginx.json()) == set(of_application.json())
    assert of_nginx.json()["title"] == of_application.json()["title"]
    assert of_nginx.json()["instance"] == of_application.json()["instance"] == "/models"
