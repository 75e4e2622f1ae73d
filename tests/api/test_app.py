"""What holds for every answer, with the application in the test process and its TESTING flag off."""

import json
import logging
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_restful import Resource

from api import __version__
from api.app import HushApi, create_app
from api.environment import SettingsError
from api.settings import Settings
from inference.noise import NoiseLibrary
from inference.store import ModelStore
from tests.api.conftest import Make
from tests.api.recordings import encoded, noise


def test_models_are_described(client: FlaskClient, models: ModelStore):
    answer = client.get("/models")
    listed = answer.get_json()["available_models"]
    assert {entry["key"] for entry in listed} == set(models.models)
    for entry in listed:
        info = models.models[entry["key"]].info
        assert entry["name"] == info.name
        assert entry["sampling_rate"] == 16000
        assert entry["sha256"] == info.sha256
        assert isinstance(entry["parameters"], int)
        assert {"architecture", "version", "labels", "training", "quality"} <= set(entry)
        assert client.get(f"/models/{entry['key']}").get_json() == entry
    assert (
        client.get("/models/production").get_json()
        == client.get(f"/models/{models.resolve('production').info.key}").get_json()
    )


def test_noise_types_are_listed(client: FlaskClient, noises: NoiseLibrary):
    assert client.get("/noise-types").get_json() == {"available": True, "noise_types": list(noises.types)}


def test_version_without_and_with_a_build(make_client: Make, tmp_path: Path):
    file = tmp_path / "version.json"
    assert make_client(version_file=file).get("/version").get_json() == {
        "name": "hush",
        "version": __version__,
        "commit": None,
    }
    file.write_text('{"commit": "abc", "build": "http://ci/1"}')
    described = make_client(version_file=file).get("/version").get_json()
    assert described == {"name": "hush", "version": __version__, "commit": "abc", "build": "http://ci/1"}


@pytest.mark.parametrize("content", ["[1]", "{"])
def test_a_bad_version_file_stops_the_start(make_client: Make, tmp_path: Path, content: str):
    (tmp_path / "version.json").write_text(content)
    with pytest.raises(SettingsError, match="JSON"):
        make_client(version_file=tmp_path / "version.json")


@pytest.mark.parametrize("given", ["abc", "A-Z_0.9", "x" * 128])
def test_a_sane_request_id_is_taken_over(client: FlaskClient, given: str):
    assert client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "ä", "a;b", "{}"])
def test_any_other_is_replaced(client: FlaskClient, given: str):
    made = client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert made != given
    assert len(made) == 32
    assert client.get("/healthz").headers["X-Request-Id"] != made


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*;q=0.1, text/html", ""])
def test_json_is_given_to_whoever_takes_it(client: FlaskClient, accept: str):
    answer = client.get("/models", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.content_type == "application/json"


def test_head_and_options(client: FlaskClient):
    assert client.head("/models").status_code == 200
    assert set(client.options("/predict").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


class Broken(Resource):
    def get(self) -> None:
        raise RuntimeError("the secret of the house")


@pytest.fixture(params=[False, True], ids=["production", "testing"])
def broken(request: pytest.FixtureRequest, models: ModelStore, noises: NoiseLibrary) -> FlaskClient:
    """An application with a bug in a resource and one in a plain view."""
    app: Flask = create_app(Settings(), models, noises)
    HushApi(app).add_resource(Broken, "/broken-resource")
    app.add_url_rule("/broken-view", view_func=Broken().get, endpoint="broken-view")
    app.testing = request.param
    return app.test_client()


@pytest.mark.parametrize("path", ["/broken-resource", "/broken-view"])
def test_a_bug_is_opaque_and_logged_with_its_id(broken: FlaskClient, path: str, caplog: pytest.LogCaptureFixture):
    logging.getLogger("hush").propagate = True
    answer = broken.get(path, headers={"X-Request-Id": "case-7"})
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert "secret" not in answer.text
    assert answer.get_json()["request_id"] == "case-7"
    line = json.loads(caplog.records[-1].getMessage())
    assert (line["level"], line["request_id"]) == ("error", "case-7")
    assert "the secret of the house" in line["exception"]


@pytest.mark.parametrize("path", ["/nowhere", "/models/nope"])
def test_other_errors_are_the_same_under_testing(broken: FlaskClient, path: str):
    answer = broken.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_redirect_passes(models: ModelStore, noises: NoiseLibrary):
    app = create_app(Settings(), models, noises)
    app.add_url_rule("/folder/", view_func=lambda: "here", endpoint="folder")
    answer = app.test_client().get("/folder")
    assert answer.status_code == 308
    assert answer.headers["Location"].endswith("/folder/")


def logged(client: FlaskClient, caplog: pytest.LogCaptureFixture, **headers: str) -> dict[str, Any]:
    logging.getLogger("hush").propagate = True
    with caplog.at_level(logging.INFO, logger="hush.access"):
        client.get("/healthz", headers=headers)
    return dict(json.loads(caplog.records[-1].getMessage()))


def test_the_access_log_is_one_json_object(make_client: Make, caplog: pytest.LogCaptureFixture):
    line = logged(make_client(access_log=True), caplog, X_Request_Id="id-1")
    assert 0 <= line.pop("seconds") < 10
    assert datetime.fromisoformat(line.pop("time")).utcoffset() == timedelta(0)
    assert line == {
        "level": "info",
        "message": "request",
        "request_id": "id-1",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/healthz",
        "route": "/healthz",
        "status": 200,
        "bytes": 20,
    }


def test_the_client_address_is_believed_from_trusted_proxies_only(make_client: Make, caplog: pytest.LogCaptureFixture):
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}
    assert logged(make_client(access_log=True), caplog, **forwarded)["client"] == "127.0.0.1"
    assert logged(make_client(access_log=True, trusted_proxies=1), caplog, **forwarded)["client"] == "198.51.100.1"
    assert logged(make_client(access_log=True, trusted_proxies=2), caplog, **forwarded)["client"] == "203.0.113.9"


def test_a_client_of_the_replaced_service_works_unchanged(client: FlaskClient, clips: Path):
    """What its clients do: list, choose by key, post the form field, save the attachment; read `detail` on errors."""
    key = client.get("/models").get_json()["available_models"][0]["key"]
    with (clips / "noisy.wav").open("rb") as file:
        answer = client.post(
            f"/predict?model={key}", data={"audio_file": (file, "noisy.wav", "audio/wav")}, buffered=True
        )
    assert (answer.status_code, answer.content_type) == (200, "audio/wav")
    assert answer.headers["Content-Disposition"] == "attachment; filename=enhanced.wav"
    assert answer.data.startswith(b"RIFF")
    noise_type = client.get("/noise-types").get_json()["noise_types"][0]
    with (clips / "voice.wav").open("rb") as file:
        noisy = client.post(
            f"/mix-noise?noise_type={noise_type.upper()}&snr_db=10",
            data={"audio_file": (file, "voice.wav")},
            buffered=True,
        )
    assert noisy.headers["Content-Disposition"] == "attachment; filename=noisy.wav"
    unknown = client.post("/predict?model=nope", data={"audio_file": (BytesIO(b"x"), "x.wav")})
    assert (unknown.status_code, "nope" in unknown.get_json()["detail"]) == (404, True)


def test_uploads_of_refused_requests_are_closed(client: FlaskClient):
    """pytest turns the warning about a file that was never closed into a failure."""
    for audio in (b"not audio", encoded(noise(0.1))[:-100]):
        assert client.post("/predict", data=audio, content_type="audio/wav").status_code == 400
