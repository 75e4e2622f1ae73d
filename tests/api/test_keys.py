"""API keys: how they are made and kept, what needs one, what a wrong one is answered with."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from api.access import open_endpoints
from api.environment import SettingsError
from api.errors import KeyDisabled, KeyRequired
from api.keys import KeyRing, new
from api.specification.operations import OPERATIONS
from tests.api.conftest import Make
from tests.api.recordings import encoded, noise
from tests.servers import ROOT, start_gunicorn, wait_for

GOOD, GOOD_LINE = new("good")
OTHER, OTHER_LINE = new("good")  # a second key of the same holder
GONE, GONE_LINE = new("gone")
SHORT = encoded(noise(0.2))
OPEN = ["/", "/docs", "/openapi.json", "/static/x/style.css", "/healthz", "/readyz", "/version"]
WRONG = {
    "unknown name": "nobody." + GOOD.partition(".")[2],
    "wrong secret": "good." + GONE.partition(".")[2],
    "cut": GOOD[:-1],
    "longer": GOOD + "A",
    "only a name": "good",
    "a guess": "good.password",
    "not ascii": GOOD[:-1] + "\xe9",
    "its hash": GOOD_LINE.partition(":")[2],
    "very long": "good." + "A" * 5000,
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(f"# who may come in\n\n{GOOD_LINE}   # first\n{OTHER_LINE}\n{GONE_LINE}:disabled\n")
    return path


@pytest.fixture
def guarded(make_client: Make, file: Path) -> FlaskClient:
    return make_client(api_keys_file=file)


def test_a_new_key_is_long_random_and_stored_as_hash_only():
    first, line = new("load-test")
    second, _ = new("load-test")
    assert re.fullmatch(r"load-test\.[A-Za-z0-9_-]{43}", first)
    assert first != second
    assert re.fullmatch(r"load-test:[0-9a-f]{64}", line)
    assert first.partition(".")[2] not in line


@pytest.mark.parametrize("name", ["", "-a", "Upper", "two words", "a:b", "a.b", "x" * 65, "caf\xe9"])
def test_names_that_cannot_be(name: str):
    with pytest.raises(ValueError, match="is no name"):
        new(name)


def test_the_command_writes_line_and_key_apart():
    run = [sys.executable, "-m", "api.keys"]
    made = subprocess.run([*run, "new", "ann"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert re.fullmatch(r"ann:[0-9a-f]{64}\n", made.stdout)
    assert re.search(r"^ann\.[A-Za-z0-9_-]{43}$", made.stderr, re.MULTILINE)
    for wrong in (["new", "Ann"], ["new"], ["old", "ann"]):
        refused = subprocess.run([*run, *wrong], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert len(refused.stderr.splitlines()) == 1


def test_a_ring_knows_its_holders(file: Path):
    ring = KeyRing(file)
    assert ring.holder(GOOD) == ring.holder(OTHER) == "good"
    with pytest.raises(KeyDisabled, match="gone"):
        ring.holder(GONE)


@pytest.mark.parametrize("key", WRONG.values(), ids=WRONG)
def test_a_wrong_key_is_none(file: Path, key: str):
    with pytest.raises(KeyRequired):
        KeyRing(file).holder(key)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no key"),
        ("# nobody\n", "no key"),
        (f"{GOOD_LINE}\n{GOOD}\n", "line 2"),
        (f"{GOOD_LINE}:off\n", "line 1"),
        ("caf\xe9:1\n", "cannot be read"),
    ],
)
def test_a_bad_file_stops_the_start(tmp_path: Path, make_client: Make, text: str, words: str):
    bad = tmp_path / "keys"
    bad.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=words) as raised:
        make_client(api_keys_file=bad)
    assert GOOD not in str(raised.value)


def test_a_reload_takes_the_file_as_it_is_now_unless_that_is_no_good(tmp_path: Path):
    path = tmp_path / "keys"
    path.write_text(GOOD_LINE)
    ring = KeyRing(path)
    path.write_text(f"{GOOD_LINE}:disabled\n{OTHER_LINE}")
    ring.reload()
    assert ring.holder(OTHER) == "good"
    with pytest.raises(KeyDisabled):
        ring.holder(GOOD)
    path.unlink()
    ring.reload()
    assert ring.holder(OTHER) == "good"


@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {GOOD}"}, {"Authorization": f"bearer {GOOD}"}, {"X-API-Key": GOOD}]
)
def test_a_good_key_opens(guarded: FlaskClient, headers: dict[str, str]):
    assert guarded.get("/models", headers=headers).status_code == 200
    answer = guarded.post("/predict", data=SHORT, content_type="audio/wav", headers=headers, buffered=True)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_to_all(guarded: FlaskClient, path: str):
    assert guarded.get(path).status_code == 200


def test_everything_else_is_closed(guarded: FlaskClient):
    """Also what is added later: only the tags of the table open an operation."""
    free = open_endpoints(guarded.application)
    rules = [rule for rule in guarded.application.url_map.iter_rules() if rule.endpoint not in free]
    assert {rule.rule for rule in rules} >= {"/predict", "/mix-noise", "/models", "/models/<name>", "/noise-types"}
    for rule in rules:
        path = re.sub(r"<[^>]*>", "x", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS"}:
            assert guarded.open(path, method=method).status_code == 401, (method, path)
    assert free == {
        rule.endpoint
        for rule in guarded.application.url_map.iter_rules()
        for (_, path), operation in OPERATIONS.items()
        if re.sub(r"<(\w+)>", r"{\1}", rule.rule) == path and operation.tag in ("operation", "pages")
    }


def test_without_a_key_it_says_how_to_bring_one(guarded: FlaskClient):
    answer = guarded.post("/predict", data=SHORT, content_type="audio/wav")
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="hush"'
    assert answer.get_json()["type"] == "urn:hush:problem:key-required"
    assert "X-API-Key" in answer.get_json()["detail"]


@pytest.mark.parametrize("key", WRONG.values(), ids=WRONG)
def test_a_wrong_key_gets_401(guarded: FlaskClient, key: str):
    answer = guarded.get("/models", headers={"X-API-Key": key.encode("utf-8").decode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="hush", error="invalid_token"'
    assert key not in answer.text


def test_other_schemes_are_no_key(guarded: FlaskClient):
    for value in ("Basic Z29vZDpnb29k", "Bearer", "Bearer ", "Digest a=b", GOOD):
        assert guarded.get("/models", headers={"Authorization": value}).status_code == 401
    both = {"Authorization": "Basic Z29vZDpnb29k", "X-API-Key": GOOD}  # a proxy's password, and our key
    assert guarded.get("/models", headers=both).status_code == 200


def test_a_disabled_key_gets_403(guarded: FlaskClient):
    answer = guarded.get("/models", headers={"X-API-Key": GONE})
    assert (answer.status_code, answer.get_json()["type"]) == (403, "urn:hush:problem:key-disabled")
    assert GONE not in answer.text


def test_what_does_not_exist_needs_no_key(guarded: FlaskClient):
    assert guarded.get("/nothing").status_code == 404
    assert guarded.get("/predict").status_code == 405


def test_the_description_says_so(guarded: FlaskClient, client: FlaskClient):
    document = guarded.get("/openapi.json").get_json()
    schemes = [{"bearer": []}, {"header": []}]
    assert document["paths"]["/predict"]["post"]["security"] == schemes
    assert document["paths"]["/models"]["get"]["security"] == schemes
    assert "security" not in document["paths"]["/healthz"]["get"]
    assert "WWW-Authenticate" in document["paths"]["/predict"]["post"]["responses"]["401"]["headers"]
    assert "401" not in document["paths"]["/docs"]["get"]["responses"]
    assert "security" not in client.get("/openapi.json").get_json()["paths"]["/predict"]["post"]


def test_a_running_service_takes_new_keys_over(tmp_path: Path):
    """SIGHUP, as `systemctl reload` sends it: workers made from then on know the file as it is."""
    path = tmp_path / "keys"
    path.write_text(GOOD_LINE)
    with start_gunicorn(tmp_path, HUSH_API_KEYS_FILE=str(path)) as server:

        def status(key: str) -> int:
            return requests.get(f"{server.url}/models", headers={"X-API-Key": key}, timeout=20).status_code

        def reload(text: str) -> None:
            path.write_text(text)
            before = {worker.pid for worker in server.workers()}
            server.process.send_signal(signal.SIGHUP)
            wait_for(lambda: not before & {worker.pid for worker in server.workers()}, 60, "new workers")

        assert (status(GOOD), status(OTHER)) == (200, 401)
        reload(f"{GOOD_LINE}:disabled\n{OTHER_LINE}\n")
        assert (status(GOOD), status(OTHER)) == (403, 200)
        reload("not a line\n")
        assert status(GOOD) == 200  # as the start of the service knew it
        assert "The API keys stay as they were" in server.log
        assert GOOD not in server.log
