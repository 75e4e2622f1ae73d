"""The OpenAPI 3.1 document: `specification` turns the table of operations into it with apispec."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from werkzeug.exceptions import HTTPException

from api import __version__, problems
from api.errors import STATUS, problem_type
from api.requests import FIELD
from api.specification.answers import COMMON_HEADERS, HEADERS, Answer, ProblemSchema
from api.specification.operations import OPERATIONS, TAGS, Operation
from inference.audio import FORMATS

VERSION = "3.1.0"
RECORDING = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
BARE_TYPES = (*(format.media_type for format in FORMATS.values()), "application/octet-stream")
GATEWAY = {
    429: "Too many requests from one client",
    502: "The application did not answer; it may be restarting",
    503: "No capacity",
    504: "The application took too long",
}
CACHE_HEADERS = {
    "If-None-Match": "The `ETag` of an answer that the client has: 412 where it would be the same.",
    "Cache-Control": "`no-cache`: enhance again; `no-store`: and keep nothing.",
}
RETRY = ("Retry-After",)
EXTRA_HEADERS = {
    401: ("WWW-Authenticate",),
    413: ("Link",),
    416: ("Content-Range",),
    **dict.fromkeys((429, 502, 503), RETRY),
}
# A streamed answer does not know the first three when it begins.
OPTIONAL_HEADERS = (
    *("Content-Length", "Server-Timing", "X-Clipped-Samples", "X-Accel-Buffering", "Retry-After", "Link"),
    *("ETag", "X-Cache"),  # of recordings only where answers are kept
)
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, where the service demands one."},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same in a header of its own.",
    },
}
INTRODUCTION = """Removes the noise from recordings of speech.

Every error is a problem document (RFC 9457), also those of the gateway and of requests that are no proper HTTP
(400, 408, 411, 414, 431, 501). A wrong method gets 405 with `Allow`, an unknown path 404."""


def specification(noise_types: Iterable[str], *, with_keys: bool = False) -> dict[str, Any]:
    """The document of a service that knows these noises, and demands API keys or not, as plain data."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title="Hush",
        version=__version__,
        openapi_version=VERSION,
        plugins=[plugin],
        info={"description": INTRODUCTION, "license": {"name": "MIT", "identifier": "MIT"}},
        tags=[{"name": name, "description": says} for name, says in TAGS.items()],
    )
    for name, (says, schema) in HEADERS.items():
        spec.components.header(name, {"description": says, "schema": schema, "required": name not in OPTIONAL_HEADERS})
    spec.components.schema("Problem", schema=ProblemSchema)
    spec.components.parameter("X-Request-Id", "header", _request_id())
    for name, scheme in SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    for name, says in CACHE_HEADERS.items():
        spec.components.parameter(name, "header", {"description": says, "schema": {"type": "string"}})
    for (method, path), operation in OPERATIONS.items():
        described = _operation(plugin, method, path, operation)
        if with_keys and operation.key_errors:
            described["security"] = [{name: []} for name in SCHEMES]
        spec.path(path=path, operations={method: described})
    document: dict[str, Any] = spec.to_dict()
    _limit_noise_types(document, list(noise_types))
    return document


def _request_id() -> dict[str, Any]:
    says = "Taken over where it is 1 to 128 letters, digits, dots, dashes and underscores."
    return {"description": says, "schema": {"type": "string"}}


def _operation(plugin: MarshmallowPlugin, method: str, path: str, operation: Operation) -> dict[str, Any]:
    assert plugin.converter is not None
    described: dict[str, Any] = {
        "operationId": _identifier(method, path),
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.says,
        "parameters": _parameters(plugin.converter, operation),
        "responses": _responses(operation),
    }
    if operation.takes_recording:
        described["requestBody"] = _body(operation.form)
    return described


def _identifier(method: str, path: str) -> str:
    """`get-models-name` for GET /models/{name}."""
    words = path.replace("{", "").replace("}", "").replace(".", "-").split("/")
    return "-".join([method, *filter(None, words)])


def _parameters(converter: OpenAPIConverter, operation: Operation) -> list[Any]:
    parameters: list[Any] = ["X-Request-Id", *(CACHE_HEADERS if operation.cached else ())]
    for name, (says, example) in operation.path.items():
        described = {"description": says, "schema": {"type": "string", "minLength": 1}, "example": example}
        parameters.append({"name": name, "in": "path", "required": True, **described})
    for name, says in operation.headers.items():
        parameters.append({"name": name, "in": "header", "description": says, "schema": {"type": "string"}})
    if operation.query is not None:
        parameters += map(_of_text, converter.schema2parameters(operation.query, location="query"))
    return parameters


def _of_text(parameter: dict[str, Any]) -> dict[str, Any]:
    """Without null, which a query cannot say; whoever means it leaves the parameter out."""
    schema = parameter["schema"]
    if isinstance(schema["type"], list):
        schema["type"] = next(kind for kind in schema["type"] if kind != "null")
    if schema.get("default", "") is None:
        del schema["default"]
    if "enum" in schema:
        schema["enum"] = [choice for choice in schema["enum"] if choice is not None]
    return parameter


def _body(fields: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: {"type": "string", "description": says} for name, says in fields.items()}
    form = {"type": "object", "required": [FIELD], "properties": {FIELD: RECORDING, **texts}}
    # An empty schema: in OpenAPI 3.1 a body of bytes has none.
    return {
        "required": True,
        "description": "WAV, FLAC, Ogg (Vorbis, Opus) or MP3, in a form or bare.",
        "content": {"multipart/form-data": {"schema": form}, **{kind: {"schema": {}} for kind in BARE_TYPES}},
    }


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {str(operation.status): _success(operation.answer)}
    if operation.ranged:
        responses["206"] = _success(replace(operation.answer, headers=(*operation.answer.headers, "Content-Range")))
    if operation.kept:
        responses["304"] = {
            "description": "Unchanged.",
            "headers": _headers((*COMMON_HEADERS, *operation.answer.headers)),
        }
    for status, kinds in sorted(_problems(operation).items()):
        responses[str(status)] = _problem(status, kinds)
    return responses


def _success(answer: Answer) -> dict[str, Any]:
    content = {kind: {} if schema is None else {"schema": schema} for kind, schema in answer.content.items()}
    return {
        "description": answer.says,
        "content": content,
        "headers": _headers((*COMMON_HEADERS, "Content-Length", *answer.headers)),
    }


def _problems(operation: Operation) -> dict[int, list[str]]:
    """Status -> the types of problems that it may mean."""
    found: dict[int, list[str]] = {500: [problems.NO_TYPE]}
    for kind in (*operation.errors, *operation.key_errors):
        if issubclass(kind, HTTPException):
            found.setdefault(kind.code or 500, []).append(problems.NO_TYPE)
        else:
            found.setdefault(STATUS[kind], []).append(problem_type(kind))
    for status in GATEWAY if operation.limited else GATEWAY.keys() - {429}:
        found.setdefault(status, []).append(problems.NO_TYPE)
    return found


def _problem(status: int, types: list[str]) -> dict[str, Any]:
    members = {"status": {"const": status}, "type": {"enum": types}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": members}]}
    listed = ", ".join(f"`{kind}`" for kind in types)
    says = GATEWAY.get(status, problems.phrase(status))
    extra = EXTRA_HEADERS.get(status, ())
    return {
        "description": f"{says}: {listed}.",
        "content": {problems.MEDIA_TYPE: {"schema": schema}},
        "headers": _headers((*COMMON_HEADERS, *extra)),
    }


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _limit_noise_types(document: dict[str, Any], noise_types: list[str]) -> None:
    """The one value that depends on where the service runs."""
    for parameter in document["paths"]["/mix-noise"]["post"]["parameters"]:
        if parameter.get("name") == "noise_type":
            parameter["schema"]["enum"] = noise_types
