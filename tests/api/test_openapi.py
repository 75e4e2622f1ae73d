"""The description at /openapi.json against the routes, errors and answers there are."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from marshmallow import fields
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from api.errors import STATUS, problem_type
from api.requests import MixSchema, PredictSchema
from api.specification.answers import HEADERS
from api.specification.operations import OPERATIONS, TAGS
from inference.noise import NoiseLibrary
from tests.api.bad_input import AUDIO_ROWS, BROKEN_FORMS, GOOD, NO_FILE, QUERIES
from tests.api.recordings import FORM_TYPE, form

# What any server sends, and what says nothing of its own.
PLAIN_HEADERS = {"Content-Type", "Content-Length", "Date", "Vary"}


@pytest.fixture(scope="module")
def document(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return dict(answer.get_json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_route_is_described_and_no_other(client: FlaskClient, document: dict[str, Any]):
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    assert {(method, path) for method, path, _ in operations(document)} == routes


def test_every_kind_of_error_is_described_with_its_status(document: dict[str, Any]):
    described = {
        (int(status), kind)
        for _, _, operation in operations(document)
        for status, response in operation["responses"].items()
        if "application/problem+json" in response.get("content", {})
        for kind in response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["type"]["enum"]
    }
    assert {(status, problem_type(kind)) for kind, status in STATUS.items()} <= described
    unknown = {kind for _, kind in described} - {problem_type(kind) for kind in STATUS} - {"about:blank"}
    assert unknown == set()


def test_errors_of_the_table_are_in_the_one_that_answers():
    kinds = {kind for operation in OPERATIONS.values() for kind in operation.errors}
    assert {kind for kind in kinds if kind not in STATUS and not issubclass(kind, HTTPException)} == set()


@pytest.mark.parametrize(("path", "schema"), [("/predict", PredictSchema), ("/mix-noise", MixSchema)])
def test_every_parameter_is_described_as_it_is_read(document: dict[str, Any], path: str, schema: type):
    described = {item["name"]: item for item in document["paths"][path]["post"]["parameters"] if "name" in item}
    read = schema().fields
    assert set(described) == set(read)
    for name, field in read.items():
        assert described[name]["required"] == field.required
        assert len(described[name]["description"]) > 10
        kinds = {fields.Float: "number", fields.Integer: "integer", fields.Boolean: "boolean"}
        assert described[name]["schema"]["type"] == kinds.get(type(field), "string")
        assert described[name]["schema"].get("default") == field.load_default or field.required


def test_noises_are_those_of_the_service(document: dict[str, Any], noises: NoiseLibrary):
    (noise_type,) = [
        item for item in document["paths"]["/mix-noise"]["post"]["parameters"] if item.get("name") == "noise_type"
    ]
    assert noise_type["schema"]["enum"] == list(noises.types)


def test_nothing_is_left_empty(document: dict[str, Any]):
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert operation["tags"][0] in TAGS
        assert all(response["description"] for response in operation["responses"].values())
    identifiers = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(identifiers)) == len(identifiers)
    for path in ("/predict", "/mix-noise"):
        body = document["paths"][path]["post"]["requestBody"]
        assert {"multipart/form-data", "audio/wav", "audio/flac", "audio/ogg", "audio/mpeg"} <= set(body["content"])


def check(document: dict[str, Any], method: str, path: str, answer: TestResponse) -> None:
    """An answer has a status, a media type, a problem and headers that are described."""
    responses = document["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, answer.text
    response = responses[str(answer.status_code)]
    assert answer.status_code == 304 or answer.mimetype in response["content"]
    assert set(answer.headers.keys()) - set(response["headers"]) - PLAIN_HEADERS == set()
    required = {name for name in response["headers"] if document["components"]["headers"][name]["required"]}
    assert required - set(answer.headers.keys()) == set()
    if answer.status_code >= 400:
        schema = response["content"]["application/problem+json"]["schema"]["allOf"][1]
        assert answer.get_json()["type"] in schema["properties"]["type"]["enum"]


@pytest.mark.parametrize("path", ["/predict", "/mix-noise"])
def test_bad_recordings_get_what_is_described(client: FlaskClient, document: dict[str, Any], path: str):
    url = path + ("?noise_type=white" if path == "/mix-noise" else "")
    bodies: list[tuple[bytes, str | None]] = [(form(row[0]), FORM_TYPE) for row in AUDIO_ROWS.values()]
    bodies += [(body, headers.get("Content-Type")) for body, headers, _ in NO_FILE.values()]
    bodies += list(BROKEN_FORMS.values())
    bodies += [(b"{}", "application/json"), (GOOD, "audio/wav")]
    for body, content_type in bodies:
        check(document, "post", path, client.post(url, data=body, content_type=content_type, buffered=True))


def test_bad_queries_get_what_is_described(client: FlaskClient, document: dict[str, Any]):
    unknown = ["/predict?model=nope", "/mix-noise?noise_type=nope"]
    for url in [*QUERIES, *unknown]:
        answer = client.post(url, data=GOOD, content_type="audio/wav", buffered=True)
        assert answer.status_code >= 400
        check(document, "post", url.partition("?")[0], answer)


@pytest.mark.parametrize("accept", ["*/*", "image/png"])
def test_other_routes_answer_what_is_described(client: FlaskClient, document: dict[str, Any], accept: str):
    examples = {"{version}": "x", "{name}": "style.css"}
    for method, path, _ in operations(document):
        if method == "get" and not path.startswith("/jobs"):  # of those only a service with jobs can tell
            url = path if "models" not in path else path.replace("{name}", "production")
            for name, value in examples.items():
                url = url.replace(name, value)
            answer = client.get(url, headers={"Accept": accept})
            assert answer.status_code == (200 if accept == "*/*" else 406), url
            check(document, "get", path, answer)


def test_not_found_is_described(client: FlaskClient, document: dict[str, Any]):
    check(document, "get", "/models/{name}", client.get("/models/nope"))
    check(document, "get", "/static/{version}/{name}", client.get("/static/x/nope.js"))
    check(document, "get", "/", client.get("/", headers={"If-None-Match": client.get("/").headers["ETag"]}))


def test_streamed_answers_are_described(client: FlaskClient, document: dict[str, Any]):
    answer = client.post("/predict?stream=true", data=GOOD, content_type="audio/wav", buffered=True)
    assert answer.status_code == 200
    check(document, "post", "/predict", answer)


def test_every_header_that_is_described_is_used(document: dict[str, Any]):
    used = {
        name
        for _, _, operation in operations(document)
        for response in operation["responses"].values()
        for name in response.get("headers", {})
    }
    assert used == set(HEADERS)
