"""What a client may say about a job: the query of `POST /jobs`, the form field `webhook`, the Idempotency-Key."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from flask import Request
from marshmallow import Schema, fields, post_load

from api.jobs.refusals import BadIdempotencyKey
from api.jobs.storage import COPY_BYTES
from api.requests import PredictSchema, says

# A string of RFC 9651 (draft-ietf-httpapi-idempotency-key-header), or the same without quotes, as many clients send it.
IDEMPOTENCY_KEY = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"|([\x21\x23-\x7e]{1,255})')


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Query of `POST /jobs`."""

    model: str
    format: str
    sample_rate: str
    attenuation_limit_db: float | None  # dB, >= 0; None removes all noise
    webhook: str | None


class JobSchema(PredictSchema):
    """Query of `POST /jobs`, as text: that of `/predict`, less what is about an answer now."""

    class Meta(Schema.Meta):
        """For marshmallow."""

        exclude = ("stream",)

    webhook = fields.String(
        load_default=None,
        metadata=says("An https address that is told when the job is over; also possible as a field of the form."),
    )

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> JobOptions:
        """The typed options."""
        return JobOptions(**{**data, "format": data["format"] or "wav"})


def idempotency_key(request: Request) -> str:
    """The key of the request, empty without one; raises `BadIdempotencyKey`."""
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return ""
    found = IDEMPOTENCY_KEY.fullmatch(text.strip())
    if found is None:
        raise BadIdempotencyKey
    return found[1] or found[2]


def fingerprint(options: JobOptions, upload: BinaryIO) -> str:
    """SHA-256 of the recording and the options; reads `upload` from its beginning."""
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    upload.seek(0)
    while piece := upload.read(COPY_BYTES):
        digest.update(piece)
    return digest.hexdigest()
