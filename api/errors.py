"""Every exception as an answer: the one place where errors become HTTP.

    RequestError                   what is wrong with the request as HTTP, before any audio is looked at
    ├── InvalidQuery               unknown parameter, or a value that is not possible
    ├── NoAudioFile                neither a file in the form nor a body
    ├── MalformedBody              broken multipart, or fewer bytes than announced
    ├── BodyTooLarge               past a limit on bytes or form fields
    ├── UnreadableContentType      the body is declared to be something else than audio
    ├── NotAcceptable              the client accepts nothing of what there is
    ├── OutOfRoom                  disk, memory or descriptors are used up
    ├── KeyRequired                no API key, or one that nobody has
    ├── KeyDisabled                an API key that is no longer good
    ├── NothingNew                 the client has this answer already (If-None-Match)
    └── NotReady                   this worker should not get requests

The library's errors, admission's, those of jobs and werkzeug's arrive here as well. Whatever is in none of these
families is a bug: it is logged with the request's id and answered with a 500 that says no more than that id.
"""

import errno
import json
import re
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from api import problems
from api.account import account
from api.admission import ClientGone, Overloaded
from api.jobs import refusals as jobs
from api.log import logger
from inference import errors as audio

log = logger("hush")


class RequestError(Exception):
    """The request cannot be served as it is; the text is meant for the client."""


class InvalidQuery(RequestError):
    """`parameters` names each bad query parameter with what is wrong."""

    def __init__(self, parameters: dict[str, list[str]]) -> None:
        self.parameters = parameters
        wrong = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in sorted(parameters.items()))
        super().__init__(f"The query cannot be understood: {wrong}")


class NoAudioFile(RequestError):
    """There is no audio to work on."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"No audio was sent: {reason}. Send it as the multipart field audio_file, or as the bare body with "
            "a Content-Type of audio/..."
        )


class MalformedBody(RequestError):
    """The body is not what its headers say."""


class BodyTooLarge(RequestError):
    """`limit_bytes` is the largest body; a form has limits of its own besides."""

    def __init__(self, limit_bytes: int, form_bytes: int, form_parts: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"The body is past a limit: {limit_bytes} bytes in all, in a form {form_parts} parts and {form_bytes} "
            "bytes of text in each."
        )


class UnreadableContentType(RequestError):
    """The declared `content_type` is not audio; `readable` lists what is read."""

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type
        self.readable = audio.READABLE
        super().__init__(
            f"A body of type {content_type} cannot be read. Send multipart/form-data, audio/... or "
            f"application/octet-stream; readable are {', '.join(audio.READABLE)}."
        )


class NotAcceptable(RequestError):
    """The client's Accept header admits none of the media types `offered`."""

    def __init__(self, offered: tuple[str, ...]) -> None:
        self.offered = offered
        super().__init__(f"The Accept header admits none of what can be given: {', '.join(offered)}.")


class OutOfRoom(RequestError):
    """The instance has no disk, memory or file descriptor left for this request; `retry_after` is in seconds."""

    def __init__(self) -> None:
        self.retry_after = 10
        super().__init__("The service has no room for this recording at the moment. Try again shortly.")


class KeyRequired(RequestError):
    """The request brings no API key, or (`presented`) one that is not known."""

    def __init__(self, *, presented: bool = False) -> None:
        self.challenge = 'Bearer realm="hush"' + (', error="invalid_token"' if presented else "")  # RFC 6750, 3
        super().__init__(
            f"{'This API key is not known' if presented else 'This needs an API key'}. "
            "Send one as Authorization: Bearer KEY, or as X-API-Key: KEY."
        )


class KeyDisabled(RequestError):
    """The API key of `name` has been switched off."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The API key of {name} has been disabled. Ask whoever runs this service for another one.")


class NothingNew(RequestError):
    """The answer is the one that If-None-Match names; `etag` is its hash.

    412 and not 304, which is for GET and HEAD alone (RFC 9110, 13.1.2).
    """

    def __init__(self, etag: str) -> None:
        self.etag = etag
        super().__init__("The answer is the one that the request's If-None-Match names; it is not sent again.")


class NotReady(RequestError):
    """The worker is being drained, or inference does not work in it."""


STATUS: dict[type[Exception], int] = {
    InvalidQuery: 400,
    NoAudioFile: 400,
    MalformedBody: 400,
    BodyTooLarge: 413,
    UnreadableContentType: 415,
    NotAcceptable: 406,
    KeyRequired: 401,
    KeyDisabled: 403,
    NothingNew: 412,
    NotReady: 503,
    OutOfRoom: 503,
    Overloaded: 503,
    audio.NotAudio: 400,
    audio.UnsupportedCodec: 415,
    audio.TruncatedAudio: 400,
    audio.EmptyAudio: 400,
    audio.NonFiniteAudio: 400,
    audio.UnsupportedShape: 400,
    audio.AudioTooShort: 422,
    audio.AudioTooLong: 413,
    audio.UnacceptableFormat: 422,
    audio.UnknownNoiseType: 400,
    audio.UnknownModel: 404,
    jobs.JobsDisabled: 404,
    jobs.UnknownJob: 404,
    jobs.JobExpired: 410,
    jobs.JobNotReady: 409,
    jobs.JobWithoutResult: 409,
    jobs.JobCancelled: 409,
    jobs.BadIdempotencyKey: 400,
    jobs.IdempotencyKeyReused: 422,
    jobs.WebhookRefused: 400,
    jobs.JobsFull: 503,
    jobs.JobsUnavailable: 503,
}


# What the system says when something is used up: disk, quota, size of a file, descriptors (two kinds), memory.
USED_UP = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

WAY = "jobs"  # the member of a problem that says where a long recording can go
CLIENT_GONE = "499 Client Closed Request"  # nginx's status for it; nobody but the logs will see it


def answer(error: Exception) -> Response:
    """The problem document for any exception raised while a request was served."""
    if isinstance(error, HTTPException):
        return _of_werkzeug(error)
    if isinstance(error, ClientGone):
        account().refusal = "client-gone"
        return Response(status=CLIENT_GONE)
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in USED_UP):
        log.error("request %s found no room: %r", request_id(), error)
        return _of_family(OutOfRoom(), STATUS[OutOfRoom])
    status = _status(error)
    if status is None:
        account().refusal = "internal"
        log.error("a request failed", request_id=request_id(), exc_info=error)
        return _problem(500, f"The service failed. The request id {request_id()} leads to the cause in its log.")
    account().refusal = error.cause if isinstance(error, Overloaded) else problem_name(type(error))
    return _of_family(error, status)


def show_the_way(error: Exception, path: str) -> None:
    """Gives the error the path where the same request is possible: a member of its problem, and a `Link` header."""
    vars(error)[WAY] = path


def problem_of(error: Exception) -> dict[str, Any]:
    """The problem document of an error that has a status, for a place outside a request: a job that failed."""
    status = _status(error) or 500
    kind = {"kind": problem_type(type(error)), "title": _title(error)}
    document: dict[str, Any] = json.loads(problems.document(status, str(error), vars(error), **kind))
    return document


def _status(error: Exception) -> int | None:
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)


def _title(error: Exception) -> str:
    return _words(type(error)).capitalize()


def problem_type(kind: type[Exception]) -> str:
    """The URI by which programs know a kind of problem, such as urn:hush:problem:not-audio."""
    return "urn:hush:problem:" + problem_name(kind)


def problem_name(kind: type[Exception]) -> str:
    """The last part of that URI."""
    return _words(kind).replace(" ", "-")


def _words(kind: type[Exception]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()


def request_id() -> str:
    """The id of the current request."""
    return str(getattr(request, "id", ""))


def _of_werkzeug(error: HTTPException) -> Response:
    """Routing and other errors that are no more than their status, with the headers that go with it (Allow ...)."""
    status = error.code or 500
    if status >= 400:
        account().refusal = str(error.name).lower().replace(" ", "-")
    answer = _problem(status, error.description or problems.phrase(status))
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def family_problem(error: Exception, status: int, path: str, identity: str) -> bytes:
    """The problem document of an error that has a status, met by the request `identity` for `path`."""
    evidence = {"instance": path, "request_id": identity, **vars(error)}
    return problems.document(status, str(error), evidence, kind=problem_type(type(error)), title=_title(error))


def _of_family(error: Exception, status: int) -> Response:
    document = family_problem(error, status, request.path, request_id())
    answer = Response(document, status, content_type=problems.MEDIA_TYPE)
    answer.retry_after = getattr(error, "retry_after", None)
    if WAY in vars(error):
        answer.headers["Link"] = f'<{vars(error)[WAY]}>; rel="alternate"'
    if isinstance(error, KeyRequired):
        answer.headers["WWW-Authenticate"] = error.challenge
    return answer


def _problem(status: int, detail: str) -> Response:
    document = problems.document(status, detail, {"instance": request.path, "request_id": request_id()})
    return Response(document, status, content_type=problems.MEDIA_TYPE)
