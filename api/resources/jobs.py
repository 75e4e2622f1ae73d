"""`POST /jobs`, `GET /jobs/ID`, `GET /jobs/ID/audio`, `DELETE /jobs/ID`: long recordings."""

from dataclasses import replace
from typing import Any, cast

from flask import Response, request
from flask_restful import Resource
from werkzeug.datastructures import ETags
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from api.jobs.document import document
from api.jobs.office import Office
from api.jobs.options import JobOptions, JobSchema, idempotency_key
from api.jobs.refusals import JobsDisabled
from api.requests import HushRequest, acceptable, discard_body, query, uploaded_audio
from inference.audio import FORMATS


class OfficeResource(Resource):  # type: ignore[misc]
    """Base of the endpoints: they answer `JobsDisabled` where the service takes no jobs."""

    def __init__(self, office: Office | None) -> None:
        self._open_office = office

    @property
    def _office(self) -> Office:
        if self._open_office is None:
            raise JobsDisabled
        return self._open_office


class Jobs(OfficeResource):
    """Takes recordings."""

    def __init__(self, office: Office | None, max_body_bytes: int) -> None:
        super().__init__(office)
        self._max_body_bytes = max_body_bytes

    def post(self) -> tuple[dict[str, Any], int, dict[str, str]]:
        """202 with the job; the errors of docs/api.md otherwise."""
        if self._open_office is None:
            discard_body(cast(HushRequest, request))  # or the client could not see the answer while it sends
        office = self._office
        options: JobOptions = query(JobSchema, request)
        key = idempotency_key(request)
        acceptable(request.accept_mimetypes, ("application/json",))
        request.max_content_length = self._max_body_bytes
        upload = uploaded_audio(cast(HushRequest, request))
        job = office.take(upload, with_form(options), key)
        described = document(job, office.position(job))
        return described, 202, {"Location": described["links"]["self"]}


class OneJob(OfficeResource):
    """One of them."""

    def get(self, name: str) -> dict[str, Any]:
        """200; 404 for an unknown one, 410 for one that is gone."""
        job = self._office.find(name)
        return document(job, self._office.position(job))

    def delete(self, name: str) -> dict[str, Any]:
        """200 with the job as it is now; 409 for one that was cancelled before, 404 and 410 as above."""
        acceptable(request.accept_mimetypes, ("application/json",))
        return document(self._office.cancel(name))


class JobAudio(OfficeResource):
    """Its result."""

    def get(self, name: str) -> Response:
        """200, or 206 with the range asked for; 409 while there is none, 404 and 410 as above, 416."""
        job, size = self._office.result(name)
        format = FORMATS[job.format]
        acceptable(request.accept_mimetypes, (format.media_type,))
        start, stop = wanted_range(size, job.id)
        # Of an answer to HEAD nobody would close what is opened here.
        body = () if request.method == "HEAD" else self._office.read(job, start, stop)
        answer = Response(body, mimetype=format.media_type, direct_passthrough=True)
        if (start, stop) != (0, size):
            answer.status_code = 206
            answer.content_range.set(start, stop, size)
        answer.content_length = stop - start
        answer.accept_ranges = "bytes"
        answer.set_etag(job.id)
        answer.headers["Content-Disposition"] = f"attachment; filename=enhanced{format.extension}"
        answer.headers["X-Model"] = job.model
        answer.headers["X-Model-Version"] = job.model_version
        answer.headers["X-Clipped-Samples"] = str(job.clipped_samples)
        return answer


def with_form(options: JobOptions) -> JobOptions:
    """The options with the webhook of the form, where the query names none."""
    if options.webhook is not None or request.mimetype != "multipart/form-data":
        return options
    return replace(options, webhook=request.form.get("webhook"))


def wanted_range(size: int, etag: str) -> tuple[int, int]:
    """First byte and the one after the last that the request wants of `size`; all, unless it names one range.

    Raises RequestedRangeNotSatisfiable.
    """
    condition, wanted = request.if_range, request.range
    changed = condition.date is not None or (condition.etag is not None and not ETags([etag]).contains(condition.etag))
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1 or changed:
        return 0, size
    found = wanted.range_for_length(size)
    if found is None:
        raise RequestedRangeNotSatisfiable(size, "bytes")
    return found
