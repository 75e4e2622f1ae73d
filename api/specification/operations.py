"""What each route takes and answers. tests/api/test_openapi.py compares with the routes and errors there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from marshmallow import Schema
from werkzeug.exceptions import Forbidden, NotFound, RequestedRangeNotSatisfiable

from api import errors
from api.admission import Overloaded
from api.jobs import refusals
from api.jobs.options import JobSchema
from api.requests import MixSchema, PredictSchema
from api.specification import answers
from api.specification.answers import (
    HTML,
    JSON,
    STREAM_HEADERS,
    Answer,
    HealthSchema,
    ModelSchema,
    ModelsSchema,
    NoiseTypesSchema,
    ReadySchema,
    VersionSchema,
    audio_answer,
    file_answer,
    json_answer,
    text_answer,
)
from inference import errors as audio

Kinds = tuple[type[Exception], ...]

TAGS = {
    "audio": "Recordings in, recordings out.",
    "jobs": "Long recordings, enhanced later.",
    "lists": "What can be asked for.",
    "operation": "For whoever runs the service; the gateway never limits them.",
    "pages": "For people.",
}
OPEN_TAGS = ("operation", "pages")  # need no API key, whatever the settings say
RECORDING_ERRORS: Kinds = (
    errors.InvalidQuery,
    errors.NoAudioFile,
    errors.MalformedBody,
    errors.BodyTooLarge,
    errors.UnreadableContentType,
    errors.NotAcceptable,
    errors.OutOfRoom,
    Overloaded,
    audio.NotAudio,
    audio.UnsupportedCodec,
    audio.TruncatedAudio,
    audio.EmptyAudio,
    audio.NonFiniteAudio,
    audio.UnsupportedShape,
    audio.AudioTooShort,
    audio.AudioTooLong,
    audio.UnacceptableFormat,
)
JOB_RECORDING_ERRORS: Kinds = (
    errors.InvalidQuery,
    errors.NoAudioFile,
    errors.MalformedBody,
    errors.BodyTooLarge,
    errors.UnreadableContentType,
    errors.NotAcceptable,
    audio.NotAudio,
    audio.UnsupportedCodec,
    audio.TruncatedAudio,
    audio.EmptyAudio,
    audio.UnsupportedShape,
    audio.AudioTooLong,
    audio.UnacceptableFormat,
    audio.UnknownModel,
)
JOBS_ERRORS: Kinds = (
    refusals.JobsDisabled,
    refusals.BadIdempotencyKey,
    refusals.IdempotencyKeyReused,
    refusals.WebhookRefused,
    refusals.JobsFull,
    refusals.JobsUnavailable,
    refusals.JobExpired,
)
JOB_ERRORS: Kinds = (
    errors.NotAcceptable,
    NotFound,
    refusals.JobsDisabled,
    refusals.UnknownJob,
    refusals.JobExpired,
    refusals.JobsUnavailable,
)
JOB_PATH = {"name": ("The `id` of a job.", "0123456789abcdef0123456789abcdef")}
PAGE_TYPES = ("text/css", "text/javascript", "image/svg+xml", "audio/flac")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A method on a path. `errors` are the exceptions it may be answered with; those of every route go unsaid."""

    tag: str
    summary: str
    answer: Answer
    says: str = ""
    query: type[Schema] | None = None
    path: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # parameter -> what it is, an example
    takes_recording: bool = False
    form: Mapping[str, str] = field(default_factory=dict)  # further fields of the form -> what they say
    headers: Mapping[str, str] = field(default_factory=dict)  # headers of the request -> what they say
    status: int = 200  # of the answer
    ranged: bool = False  # answers 206 to Range
    kept: bool = False  # answers 304 to If-None-Match
    cached: bool = False  # its answers may come from the result cache, as the request's headers say
    limited: bool = True  # the gateway counts it
    errors: Kinds = (errors.NotAcceptable,)

    @property
    def key_errors(self) -> Kinds:
        """What a request without a good key is answered with, where the service has keys."""
        return () if self.tag in OPEN_TAGS else (errors.KeyRequired, errors.KeyDisabled)


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("post", "/predict"): Operation(
        tag="audio",
        summary="Remove the noise from a recording",
        says="The answer has exactly the frames and channels of what was sent, and no delay.",
        query=PredictSchema,
        takes_recording=True,
        cached=True,
        answer=audio_answer(
            "The recording, enhanced.", "X-Model", "X-Model-Version", "X-Cache", "ETag", *STREAM_HEADERS
        ),
        errors=(*RECORDING_ERRORS, errors.NothingNew, audio.UnknownModel),
    ),
    ("post", "/mix-noise"): Operation(
        tag="audio",
        summary="Add noise to a clean recording",
        says="A mixture that would leave full scale is scaled as a whole; `X-Gain-Db` says by how much.",
        query=MixSchema,
        takes_recording=True,
        answer=audio_answer("The recording with noise.", "X-Seed", "X-Gain-Db"),
        errors=(*RECORDING_ERRORS, audio.UnknownNoiseType),
    ),
    ("post", "/jobs"): Operation(
        tag="jobs",
        summary="Give a long recording to be enhanced later",
        says="The options are those of `/predict`. What is wrong with the beginning of the recording is said now, what "
        "is wrong later makes the job fail.",
        query=JobSchema,
        takes_recording=True,
        form={"webhook": "As in the query."},
        headers={"Idempotency-Key": "With the same key the same request makes no second job, but answers the first."},
        status=202,
        answer=Answer(says="The job waits.", content={JSON: answers.JobSchema}, headers=("Location",)),
        errors=(*JOB_RECORDING_ERRORS, *JOBS_ERRORS),
    ),
    ("get", "/jobs/{name}"): Operation(
        tag="jobs",
        summary="See how far a job is",
        limited=False,
        path=JOB_PATH,
        answer=json_answer("The job.", answers.JobSchema),
        errors=JOB_ERRORS,
    ),
    ("delete", "/jobs/{name}"): Operation(
        tag="jobs",
        summary="Cancel a job, or remove its result",
        says="Also while it is being computed. A job that is over is removed at once.",
        limited=False,
        path=JOB_PATH,
        answer=json_answer("The job as it is now.", answers.JobSchema),
        errors=(*JOB_ERRORS, refusals.JobCancelled),
    ),
    ("get", "/jobs/{name}/audio"): Operation(
        tag="jobs",
        summary="Fetch the result",
        limited=False,
        path=JOB_PATH,
        headers={
            "Range": "One range of bytes, such as `bytes=0-1023`.",
            "If-Range": "The `ETag` that it is meant for.",
        },
        ranged=True,
        answer=answers.stored_audio_answer("The recording, enhanced."),
        errors=(*JOB_ERRORS, refusals.JobNotReady, refusals.JobWithoutResult, RequestedRangeNotSatisfiable),
    ),
    ("get", "/noise-types"): Operation(
        tag="lists", summary="List the noises", answer=json_answer("The noises for `/mix-noise`.", NoiseTypesSchema)
    ),
    ("get", "/models"): Operation(
        tag="lists", summary="List the models", answer=json_answer("The models for `/predict`.", ModelsSchema)
    ),
    ("get", "/models/{name}"): Operation(
        tag="lists",
        summary="Describe a model",
        path={"name": ("A key, or a label such as `production`.", "production")},
        answer=json_answer("The model.", ModelSchema),
        errors=(errors.NotAcceptable, audio.UnknownModel, NotFound),
    ),
    ("get", "/healthz"): Operation(
        tag="operation",
        summary="Is the process alive?",
        limited=False,
        answer=json_answer("It is.", HealthSchema),
    ),
    ("get", "/readyz"): Operation(
        tag="operation",
        summary="Should this worker get requests?",
        limited=False,
        answer=json_answer("Models are loaded, and a forward pass has lately succeeded.", ReadySchema),
        errors=(errors.NotAcceptable, errors.NotReady),
    ),
    ("get", "/version"): Operation(
        tag="operation",
        summary="Which build is this?",
        limited=False,
        answer=json_answer("What was noted at build time.", VersionSchema),
    ),
    ("get", "/metrics"): Operation(
        tag="operation",
        summary="What is counted",
        says="The gateway answers it to private networks only.",
        limited=False,
        answer=text_answer("The text format of Prometheus, version 0.0.4.", "Cache-Control"),
        errors=(errors.NotAcceptable, Forbidden),
    ),
    ("get", "/openapi.json"): Operation(
        tag="pages", summary="This document", kept=True, limited=False, answer=file_answer("OpenAPI 3.1.", JSON)
    ),
    ("get", "/docs"): Operation(
        tag="pages",
        summary="This document, to read and try",
        kept=True,
        limited=False,
        answer=file_answer("A page.", HTML),
    ),
    ("get", "/"): Operation(
        tag="pages",
        summary="The listening page",
        kept=True,
        limited=False,
        answer=file_answer("A page.", HTML),
    ),
    ("get", "/static/{version}/{name}"): Operation(
        tag="pages",
        summary="A file of the pages",
        says="Under the version that the pages name it never changes and may be kept for ever.",
        path={
            "version": ("Stands for the content of all files together.", "latest"),
            "name": ("Name of the file.", "style.css"),
        },
        kept=True,
        limited=False,
        answer=file_answer("The file.", *PAGE_TYPES),
        errors=(errors.NotAcceptable, NotFound),
    ),
}
