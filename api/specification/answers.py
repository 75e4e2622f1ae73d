"""What answers look like: the JSON documents as schemas, the headers with what they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import INCLUDE, Schema, fields
from marshmallow.validate import Equal, OneOf

from api.jobs.job import State
from api.security_headers import SECURITY_HEADERS
from inference.audio import FORMATS

HTML = "text/html"
JSON = "application/json"
TEXT_PLAIN = "text/plain"
WHOLE = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}

# Name -> what it says, and its schema. Those of every answer first.
HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-Id": ("The client's own id where it is sane, else a new one; logs name the same.", TEXT),
    "X-Content-Type-Options": ("Always `nosniff`.", {"const": "nosniff"}),
    "X-Frame-Options": ("Always `DENY`.", {"const": "DENY"}),
    "Referrer-Policy": ("Other hosts are not told where a link was followed.", TEXT),
    "Content-Security-Policy": ("Nothing is loaded from elsewhere, nothing inline is executed.", TEXT),
    "X-Model": ("Key of the model that answered.", TEXT),
    "X-Model-Version": ("Its version.", TEXT),
    "X-Clipped-Samples": ("Samples that had to be clipped to full scale.", WHOLE),
    "X-Seed": ("The seed that gives this noise again.", WHOLE),
    "X-Gain-Db": ("How far the mixture was scaled to stay within full scale, in dB.", {"type": "number"}),
    "Server-Timing": ("Milliseconds spent in `parse`, `queue`, `decode`, `enhance` and `encode`.", TEXT),
    "X-Accel-Buffering": ("`no` asks nginx, which takes it away, to pass a streamed answer on as it comes.", TEXT),
    "X-Cache": ("Where answers are kept: `hit`, `miss`, or `bypass` as the client asked.", TEXT),
    "Content-Disposition": ("An attachment with a name of the right extension.", TEXT),
    "Content-Length": ("Bytes of the answer.", WHOLE),
    "Permissions-Policy": ("The page may ask for the microphone, for nothing else.", TEXT),
    "Cache-Control": ("How long the answer may be kept.", TEXT),
    "ETag": ("Changes with the content; send it back as `If-None-Match`.", TEXT),
    "WWW-Authenticate": ("How to bring an API key.", TEXT),
    "Location": ("Where the job is.", TEXT),
    "Link": ('Where the same recording can go: `rel="alternate"`.', TEXT),
    "Accept-Ranges": ("Always `bytes`.", {"const": "bytes"}),
    "Content-Range": ("Which bytes these are, of how many.", TEXT),
    "Retry-After": ("Seconds after which another try makes sense.", {"type": "integer", "minimum": 1}),
}
COMMON_HEADERS = ("X-Request-Id", *SECURITY_HEADERS)
AUDIO_HEADERS = ("X-Clipped-Samples", "Server-Timing", "Content-Disposition")
PAGE_HEADERS = ("Permissions-Policy",)
STORED_HEADERS = (
    "X-Model",
    "X-Model-Version",
    "X-Clipped-Samples",
    "Content-Disposition",
    "Accept-Ranges",
    "ETag",
)
STREAM_HEADERS = ("X-Accel-Buffering",)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One success: media types with their schema (None: bytes), and the headers beside the common ones."""

    says: str
    content: Mapping[str, type[Schema] | None]
    headers: tuple[str, ...] = ()


class ModelSchema(Schema):
    """One model."""

    key = fields.String(required=True)
    name = fields.String(required=True)
    architecture = fields.String(required=True)
    sampling_rate = fields.Integer(required=True, metadata={"description": "The model's own rate, in Hz."})
    parameters = fields.Integer(required=True, metadata={"description": "Number of weights."})
    version = fields.String(required=True)
    sha256 = fields.String(required=True, allow_none=True, metadata={"description": "Of the file of weights."})
    labels = fields.List(fields.String(), required=True, metadata={"description": "Such as `production`."})
    training = fields.Dict(keys=fields.String(), required=True, metadata={"description": "What it was made from."})
    quality = fields.Dict(keys=fields.String(), required=True, metadata={"description": "Measured figures."})


class ModelsSchema(Schema):
    """All models."""

    available_models = fields.List(fields.Nested(ModelSchema), required=True)


class NoiseTypesSchema(Schema):
    """All noises."""

    available = fields.Boolean(required=True)
    noise_types = fields.List(fields.String(), required=True)


class HealthSchema(Schema):
    """The process answers."""

    status = fields.String(required=True, validate=Equal("alive"))


class ReadySchema(Schema):
    """The worker takes requests."""

    status = fields.String(required=True, validate=Equal("ready"))


class JobLinksSchema(Schema):
    """Where things of a job are."""

    self = fields.String(required=True)
    audio = fields.String(required=True, allow_none=True, metadata={"description": "Null until the job is done."})


class JobSchema(Schema):
    """One job."""

    id = fields.String(required=True)
    state = fields.String(required=True, validate=OneOf([str(state) for state in State]))
    position = fields.Integer(required=True, allow_none=True, metadata={"description": "In the queue, from 1."})
    progress = fields.Float(required=True, metadata={"description": "Share of the recording that is done, 0 to 1."})
    model = fields.String(required=True)
    model_version = fields.String(required=True)
    created = fields.DateTime(required=True)
    started = fields.DateTime(required=True, allow_none=True)
    finished = fields.DateTime(required=True, allow_none=True)
    expires = fields.DateTime(required=True, metadata={"description": "When it is removed; 410 is answered then."})
    attempts = fields.Integer(required=True, metadata={"description": "How often it was begun."})
    clipped_samples = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Samples that had to be clipped to full scale."}
    )
    problem = fields.Dict(
        keys=fields.String(), required=True, allow_none=True, metadata={"description": "Why it failed (RFC 9457)."}
    )
    webhook = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "How far its webhook is: waiting, delivered, given up or refused."},
    )
    links = fields.Nested(JobLinksSchema, required=True)


class OpenSchema(Schema):
    """A document with further members."""

    class Meta:
        """For apispec."""

        unknown = INCLUDE


class VersionSchema(OpenSchema):
    """The build; it may say more."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    commit = fields.String(required=True, allow_none=True)


class ProblemSchema(OpenSchema):
    """RFC 9457; what the error was made from follows in members of its own."""

    type = fields.String(required=True, metadata={"description": "`about:blank` where the status says all."})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "A sentence for people."})
    instance = fields.String(metadata={"description": "The path that was asked for."})
    request_id = fields.String(metadata={"description": "To quote when asking about it."})


def json_answer(says: str, schema: type[Schema]) -> Answer:
    """A JSON document."""
    return Answer(says=says, content={JSON: schema})


def audio_answer(says: str, *headers: str) -> Answer:
    """A recording in one of the formats."""
    media_types = {format.media_type: None for format in FORMATS.values()}
    return Answer(says=says, content=media_types, headers=(*AUDIO_HEADERS, *headers))


def text_answer(says: str, *headers: str) -> Answer:
    """Plain text."""
    return Answer(says=says, content={TEXT_PLAIN: None}, headers=headers)


def stored_audio_answer(says: str) -> Answer:
    """The result of a job."""
    media_types = {format.media_type: None for format in FORMATS.values()}
    return Answer(says=says, content=media_types, headers=STORED_HEADERS)


def file_answer(says: str, *media_types: str) -> Answer:
    """A file that may be kept and asked for again with its ETag; pages come with their policies."""
    policies = PAGE_HEADERS if HTML in media_types else ()
    return Answer(says=says, content=dict.fromkeys(media_types), headers=("ETag", "Cache-Control", *policies))
