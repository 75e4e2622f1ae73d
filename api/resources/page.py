"""`GET /`, `/docs`, `/openapi.json` and the files of the pages: held in memory, known by their ETag."""

from flask import Response, abort, request
from flask_restful import Resource

from api.assets import Assets, HeldFile
from api.requests import acceptable

REVALIDATE = "no-cache"
FOREVER = "public, max-age=31536000, immutable"
# Everything from here, nothing inline; blob: is what the page makes itself (recordings), data: the icons of Swagger UI.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


class Specification(Resource):  # type: ignore[misc]
    """The OpenAPI document."""

    def __init__(self, document: HeldFile) -> None:
        self._document = document

    def get(self) -> Response:
        """200, or 304."""
        return file_answer(self._document, REVALIDATE)


class ListeningPage(Resource):  # type: ignore[misc]
    """Where people try the service."""

    def __init__(self, page: HeldFile) -> None:
        self._page = page

    def get(self) -> Response:
        """200, or 304."""
        return page_answer(self._page)


class Docs(ListeningPage):
    """The OpenAPI document in Swagger UI."""


class StaticFile(Resource):  # type: ignore[misc]
    """A file of the pages."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def get(self, version: str, name: str) -> Response:
        """200 or 304; 404 for an unknown name.

        Another version is answered as well: while a fleet changes builds, a page of one may ask an instance of the
        other for its files.
        """
        file = self._assets.files.get(name)
        if file is None:
            abort(404)
        return file_answer(file, FOREVER if version == self._assets.version else REVALIDATE)


def page_answer(page: HeldFile) -> Response:
    """A page, with what it may do."""
    answer = file_answer(page, REVALIDATE)
    answer.headers.update(PAGE_HEADERS)
    return answer


def file_answer(file: HeldFile, keep: str) -> Response:
    """The file, or 304 where the client has it; raises `NotAcceptable`."""
    acceptable(request.accept_mimetypes, (file.media_type,))
    answer = Response(file.content, mimetype=file.media_type)
    answer.set_etag(file.etag)
    answer.headers["Cache-Control"] = keep
    answer.make_conditional(request)
    return answer
