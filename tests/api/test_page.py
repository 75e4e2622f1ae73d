"""How the pages and their files are served; what they do is tested in tests/browser."""

import re

import pytest
import soundfile
from flask.testing import FlaskClient

from api.assets import Assets, load_assets
from tests.servers import ROOT


@pytest.fixture(scope="module")
def assets() -> Assets:
    return load_assets()


def test_pages_name_files_that_are_there(client: FlaskClient, assets: Assets):
    for path in ("/", "/docs"):
        page = client.get(path).text
        names = re.findall(r'(?:src|href)="(static/[^"]+)"', page)
        assert len(names) >= 3
        assert all(name.startswith(f"static/{assets.version}/") for name in names)
        assert [name for name in names if client.get(f"/{name}").status_code != 200] == []
        assert "@" not in page


def test_modules_import_files_that_are_there(assets: Assets):
    for name, file in assets.files.items():
        if name.endswith(".js") and not name.startswith("swagger"):
            wanted = re.findall(r'"\./([^"]+)"', file.content.decode())
            assert set(wanted) <= set(assets.files), name


def test_nothing_comes_from_elsewhere(assets: Assets):
    """Swagger UI mentions addresses; that the browser asks for none is seen in tests/browser."""
    for file in [*assets.pages.values(), *(assets.files[name] for name in assets.files if "swagger" not in name)]:
        addresses = re.findall(rb"https?://[^\s\"']+", file.content)
        assert [address for address in addresses if address != b"http://www.w3.org/2000/svg"] == []


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_have_a_strict_policy_and_nothing_inline(client: FlaskClient, path: str):
    answer = client.get(path)
    policy = dict(rule.partition(" ")[::2] for rule in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", answer.text)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "microphone=(self)" in answer.headers["Permissions-Policy"]


def test_files_are_kept_for_ever_under_their_version_only(client: FlaskClient, assets: Assets):
    kept = client.get(f"/static/{assets.version}/listen.js")
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert kept.mimetype == "text/javascript"
    other = client.get("/static/0123456789abcdef/listen.js")
    assert (other.status_code, other.headers["Cache-Control"]) == (200, "no-cache")
    assert client.get("/").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/static/x/style.css"])
def test_unchanged_files_are_not_sent_again(client: FlaskClient, path: str):
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    changed = client.get(path, headers={"If-None-Match": '"another"'})
    assert (changed.status_code, changed.data) == (200, first.data)
    head = client.head(path)
    assert (head.status_code, head.data, head.content_length) == (200, b"", len(first.data))
    assert head.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("name", ["nope.js", "..", "%2e%2e%2fassets.py", "listen.html", "../listen.js"])
def test_only_files_of_the_pages_are_served(client: FlaskClient, name: str):
    answer = client.get(f"/static/x/{name}")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_the_version_stands_for_the_content(assets: Assets, monkeypatch: pytest.MonkeyPatch):
    assert load_assets().version == assets.version
    monkeypatch.setattr("api.assets.SWAGGER_UI", ("swagger-ui.css",))
    assert load_assets().version != assets.version


def test_the_sample_is_the_voice_of_the_tests():
    sample, rate = soundfile.read(ROOT / "api" / "static" / "voice.flac", dtype="int16")
    voice, voice_rate = soundfile.read(ROOT / "tests" / "data" / "voice.wav", dtype="int16")
    assert rate == voice_rate
    assert (sample == voice).all()
