"""Requests that are refused before the application sees them."""

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.conftest import Make
from tests.api.recordings import encoded, noise

GOOD = encoded(noise(0.1))
INSIDE = {"HTTP_ORIGIN": "https://example.org"}  # sends a request past the door
ID = {"X-Request-Id": "mine"}


@pytest.fixture
def full(make_client: Make) -> FlaskClient:
    """Of a service whose queue has no place."""
    return make_client(slots=1, queue_length=0, queue_timeout_s=3)


def post(client: FlaskClient, path: str = "/predict", **environment: Any) -> TestResponse:
    """Sends a recording while the only slot is held."""
    with client.application.extensions["admission"].slot():
        return send(client, path, **environment)


def send(client: FlaskClient, path: str = "/predict", **environment: Any) -> TestResponse:
    return client.post(path, data=GOOD, content_type="audio/wav", headers=ID, environ_overrides=environment)


def test_the_refusal_at_the_door_is_that_of_the_application(full: FlaskClient):
    with full.application.extensions["admission"].slot():
        door, inside = send(full), send(full, **INSIDE)
    assert (door.status_code, inside.status_code) == (503, 503)
    assert door.get_json() == inside.get_json()
    assert sorted(door.headers) == sorted(inside.headers)


def test_it_is_counted(full: FlaskClient):
    post(full)
    page = full.get("/metrics").get_data(as_text=True)
    assert 'hush_refusals_total{reason="queue-full"} 1.0' in page
    assert 'hush_requests_total{model="",route="/predict",status="503"} 1.0' in page


def test_the_application_is_not_asked(full: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(full.application, "dispatch_request", lambda: pytest.fail("it was"))
    assert post(full).status_code == 503


def test_the_body_is_read_to_its_end_and_no_further(full: FlaskClient):
    stream = io.BytesIO(bytes(700_000) + b"the next request")
    environment = {"wsgi.input": stream, "CONTENT_LENGTH": "700000"}
    assert post(full, **environment).status_code == 503
    assert stream.read() == b"the next request"


@pytest.mark.parametrize(
    ("path", "environment", "status"),
    [
        ("/predict", {"CONTENT_LENGTH": ""}, 503),  # a length that is not known: the application reads it
        ("/predict", {"CONTENT_LENGTH": "2001"}, 503),
        ("/predict", {"REQUEST_METHOD": "GET"}, 405),
        ("/models", {"REQUEST_METHOD": "GET"}, 200),
    ],
)
def test_everything_else_is_passed_on(
    make_client: Make, monkeypatch: pytest.MonkeyPatch, path: str, environment: dict[str, str], status: int
):
    client = make_client(slots=1, queue_length=0, max_body_bytes=2000)
    asked = []
    before = client.application.full_dispatch_request
    monkeypatch.setattr(client.application, "full_dispatch_request", lambda: asked.append(path) or before())
    assert post(client, path, **environment).status_code == status
    assert asked == [path]


def test_keys_are_asked_for_first(make_client: Make, tmp_path: Path):
    keys = tmp_path / "keys"
    keys.write_text("somebody:" + 64 * "0")
    assert post(make_client(slots=1, queue_length=0, api_keys_file=keys)).status_code == 401
