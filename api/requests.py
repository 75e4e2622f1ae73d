"""From a request to validated values: query parameters, the uploaded audio, the form of the answer."""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, BinaryIO, NoReturn, cast
from uuid import uuid4

import marshmallow
from flask import Request
from gunicorn.http.errors import ParseException
from marshmallow import RAISE, Schema, fields, post_load
from marshmallow.validate import OneOf, Range
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from api.body import PIECE_BYTES
from api.errors import BodyTooLarge, InvalidQuery, MalformedBody, NoAudioFile, NotAcceptable, UnreadableContentType
from api.spool import Spool, Spooler
from inference.audio import FORMATS, Format
from inference.store import DEFAULT_LABEL

FIELD = "audio_file"  # the name of the form field, as in the service that is replaced
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
BARE_TYPES = ("", "application/octet-stream", "application/ogg")  # taken for audio, as is everything under audio/
LARGEST_SEED = 2**63 - 1
UNKNOWN_NAME = {"unknown": "There is no such parameter."}
SNR_DB = (-60.0, 100.0)
FORMAT_SAYS = "Container and codec of the answer; left out, the best for the `Accept` header, else WAV."
ALIASES = {  # further names of the media types in use
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "application/ogg": "audio/ogg",
    "audio/mp3": "audio/mpeg",
}
ANYTHING = MIMEAccept([("*/*", 1)])  # what most clients send
OFFERED = {format.media_type: format for format in FORMATS.values()}
KNOWN_TYPES = {**{media_type: media_type for media_type in OFFERED}, **ALIASES}


class HushRequest(Request):
    """A request with an id, whose uploads live in spools that end with it."""

    spooler: Spooler  # set by the application

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._spools: list[Spool] = []

    @cached_property
    def id(self) -> str:
        """See `request_id_of`."""
        return request_id_of(self.environ)

    def new_spool(self) -> Spool:
        """A spool that is closed with the request."""
        self._spools.append(self.spooler())
        return self._spools[-1]

    def make_form_data_parser(self) -> FormDataParser:
        """A parser that reports a broken form instead of calling it empty."""
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser

    def hand_over_spools(self) -> Callable[[], None]:
        """Keeps the uploads beyond the end of the request; what is returned closes them."""
        spools, self._spools = self._spools, []

        def close() -> None:
            for spool in spools:
                spool.close()

        return close

    def close(self) -> None:
        """Closes every upload, also those of a form that broke off."""
        for spool in self._spools:
            spool.close()

    def _get_file_stream(self, *_: Any, **__: Any) -> BinaryIO:
        return cast(BinaryIO, self.new_spool())


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Query of `/predict`."""

    model: str
    format: str | None
    sample_rate: str
    attenuation_limit_db: float | None  # dB, >= 0; None removes all noise
    stream: bool


@dataclass(frozen=True, kw_only=True)
class MixOptions:
    """Query of `/mix-noise`."""

    noise_type: str
    snr_db: float  # dB
    seed: int | None
    format: str | None


def says(description: str) -> dict[str, str]:
    """What the specification says of a parameter."""
    return {"description": description}


class PredictSchema(Schema):
    """Query of `/predict`, as text."""

    error_messages = UNKNOWN_NAME

    model = fields.String(load_default=DEFAULT_LABEL, metadata=says("A key or a label of `/models`."))
    format = fields.String(load_default=None, validate=OneOf(list(FORMATS)), metadata=says(FORMAT_SAYS))
    sample_rate = fields.String(
        load_default="source",
        validate=OneOf(["source", "model"]),
        metadata=says("Rate of the answer: as sent, or the model's own."),
    )
    attenuation_limit_db = fields.Float(
        load_default=None,
        validate=Range(min=0),
        metadata=says("How much noise may be removed, in dB; left out, all of it."),
    )
    stream = fields.Boolean(
        load_default=False,
        truthy={"true"},
        falsy={"false"},
        metadata=says("Whether the answer begins while the rest is being enhanced; not with `mp3`."),
    )

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> PredictOptions:
        """The typed options."""
        return PredictOptions(**data)


class MixSchema(Schema):
    """Query of `/mix-noise`, as text."""

    error_messages = UNKNOWN_NAME

    noise_type = fields.String(required=True, metadata=says("One of `/noise-types`, in any case."))
    snr_db = fields.Float(
        load_default=10.0,
        validate=Range(*SNR_DB),
        metadata=says("Level of the active speech above the noise, in dB."),
    )
    seed = fields.Integer(
        load_default=None,
        validate=Range(0, LARGEST_SEED),
        metadata=says("The same seed gives the same noise; left out, one is drawn."),
    )
    format = fields.String(load_default=None, validate=OneOf(list(FORMATS)), metadata=says(FORMAT_SAYS))

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> MixOptions:
        """The typed options."""
        return MixOptions(**data)


class QueryParser(FlaskParser):
    """webargs for query strings: unknown names are errors, and errors are ours."""

    def handle_error(self, error: marshmallow.ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raises `InvalidQuery`."""
        messages: Any = error.messages
        raise InvalidQuery(messages["query"]) from error


PARSER = QueryParser()
MOST_QUERIES = 256  # of at most 4 kB each
RECENT_QUERIES: dict[tuple[type[Schema], bytes], Any] = {}


def query(schema: type[Schema], request: Request) -> Any:
    """The query of `request` as the options that `schema` makes; raises `InvalidQuery`.

    Clients repeat themselves, and options are frozen: those of a query that was seen lately are given again.
    """
    key = schema, request.query_string
    options = RECENT_QUERIES.get(key)
    if options is None:
        options = PARSER.parse(_made(schema), request, location="query", unknown=RAISE)
        if len(RECENT_QUERIES) >= MOST_QUERIES:
            RECENT_QUERIES.clear()
        RECENT_QUERIES[key] = options
    return options


@cache
def _made(schema: type[Schema]) -> Schema:
    """One instance for all requests: making one copies every field, and using it changes nothing in it."""
    return schema()


def wanted_format(name: str | None, accept: MIMEAccept) -> Format:
    """The audio format of the answer: `name` where it is given, else the best for `accept`, WAV if all are equal.

    Raises `NotAcceptable`.
    """
    if name is not None:
        return FORMATS[name]
    return OFFERED[KNOWN_TYPES[acceptable(accept, tuple(KNOWN_TYPES))]]


def acceptable(accept: MIMEAccept, offered: tuple[str, ...]) -> str:
    """The media type of `offered` that `accept` likes best, the first among equals; raises `NotAcceptable`."""
    if not accept or accept == ANYTHING:
        return offered[0]
    best = accept.best_match(offered)
    if best is None:
        raise NotAcceptable(offered)
    return best


def uploaded_audio(request: HushRequest) -> BinaryIO:
    """The bytes of the recording as a seekable file that ends with the request, from either form of upload.

    Raises `NoAudioFile`, `MalformedBody`, `BodyTooLarge`, `UnreadableContentType`.
    """
    if request.content_length == 0 or (request.content_length is None and not _is_chunked(request)):
        raise NoAudioFile("the request has no body")
    try:
        if request.mimetype == "multipart/form-data":
            return _from_form(request)
        if request.mimetype.startswith("audio/") or request.mimetype in BARE_TYPES:
            return _from_body(request)
    except RequestEntityTooLarge as error:
        raise BodyTooLarge(
            request.max_content_length or 0, request.max_form_memory_size or 0, request.max_form_parts or 0
        ) from error
    except (ClientDisconnected, ParseException) as error:
        raise MalformedBody("The body ended early, or its transfer coding is broken.") from error
    raise UnreadableContentType(request.mimetype)


def request_id_of(environ: dict[str, Any]) -> str:
    """The client's X-Request-Id where it is sane, else a new one, which then is the request's."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    if not SANE_ID.fullmatch(given):
        environ["HTTP_X_REQUEST_ID"] = given = uuid4().hex
    return str(given)


def discard_body(request: HushRequest) -> None:
    """Reads the body to its end and forgets it, so that a client that is still sending gets to see the answer."""
    with suppress(RequestEntityTooLarge, ClientDisconnected, ParseException):
        while request.stream.read(PIECE_BYTES):
            pass


def _is_chunked(request: Request) -> bool:
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()


def _from_form(request: HushRequest) -> BinaryIO:
    try:
        file = request.files.get(FIELD)
    except ValueError as error:
        raise MalformedBody(f"The multipart body is broken: {error}.") from error
    if file is None and FIELD in request.form:
        raise NoAudioFile(f"the form field {FIELD} is text, not a file (it has no filename)")
    if file is None:
        raise NoAudioFile(f"the form has no field {FIELD}")
    if not file.filename and not file.stream.read(1):  # what a browser sends for a file field left alone
        raise NoAudioFile("no file was chosen")
    file.stream.seek(0)
    return cast(BinaryIO, file.stream)


def _from_body(request: HushRequest) -> BinaryIO:
    spool = request.new_spool()
    shutil.copyfileobj(request.stream, spool, PIECE_BYTES)
    if spool.size() < (request.content_length or 0):
        raise MalformedBody(f"The body ended after {spool.size()} of {request.content_length} bytes.")
    return cast(BinaryIO, spool)
