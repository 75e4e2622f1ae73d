"""What browsers are told: which pages of other origins may use the service, and what an answer may do."""

import pytest
from flask.testing import FlaskClient

from api.environment import SettingsError
from api.security_headers import SECURITY_HEADERS
from api.settings import Settings
from tests.api.conftest import Make
from tests.api.recordings import encoded, noise

FRIEND = "https://app.example.org"
FRIENDS = (FRIEND, "http://localhost:3000")
SHORT = encoded(noise(0.2))
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}


@pytest.fixture
def shared(make_client: Make) -> FlaskClient:
    return make_client(cors_origins=FRIENDS)


@pytest.mark.parametrize("origin", FRIENDS)
def test_a_friend_may_ask_and_read(shared: FlaskClient, origin: str):
    answer = shared.post("/predict", data=SHORT, content_type="audio/wav", headers={"Origin": origin}, buffered=True)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "X-Model" in answer.headers["Access-Control-Expose-Headers"]
    assert {"Origin", "Accept"} <= set(answer.vary)
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_errors_can_be_read_too(shared: FlaskClient):
    answer = shared.post("/predict", data=b"x" * 100, content_type="audio/wav", headers={"Origin": FRIEND})
    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND


def test_a_friends_browser_may_send_a_key(shared: FlaskClient):
    answer = shared.options("/predict", headers={"Origin": FRIEND, **PREFLIGHT})
    assert answer.status_code == 200
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "X-API-Key" in answer.headers["Access-Control-Allow-Headers"]
    assert int(answer.headers["Access-Control-Max-Age"]) > 0


@pytest.mark.parametrize(
    "origin", ["https://example.org", "http://app.example.org", f"{FRIEND}.evil.example", f"{FRIEND}:444", "null"]
)
def test_strangers_may_not(shared: FlaskClient, origin: str):
    for answer in (
        shared.get("/models", headers={"Origin": origin}),
        shared.options("/predict", headers={"Origin": origin, **PREFLIGHT}),
    ):
        assert [name for name in dict(answer.headers) if name.startswith("Access-Control")] == []
        assert "Origin" in answer.vary


def test_nobody_may_by_default(client: FlaskClient):
    answer = client.get("/models", headers={"Origin": FRIEND})
    assert [name for name in dict(answer.headers) if name.startswith("Access-Control")] == []


@pytest.mark.parametrize("value", ["*", "example.org", "https://example.org/", "https://Example.org", " ", "null"])
def test_what_is_no_origin(value: str):
    with pytest.raises(SettingsError, match="HUSH_CORS_ORIGINS"):
        Settings.from_environment({"HUSH_CORS_ORIGINS": value})


def test_origins_are_read():
    assert Settings.from_environment({"HUSH_CORS_ORIGINS": " ".join(FRIENDS)}).cors_origins == FRIENDS


@pytest.mark.parametrize("path", ["/models", "/models/nope", "/healthz", "/nothing", "/openapi.json", "/predict"])
def test_every_answer_is_closed(client: FlaskClient, path: str):
    answer = client.get(path)
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_page_keeps_its_own_policy(client: FlaskClient):
    answer = client.get("/")
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert len(answer.headers.getlist("Content-Security-Policy")) == 1
