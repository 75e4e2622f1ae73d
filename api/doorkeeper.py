"""Refusing at the door what would be refused inside.

Past capacity most requests are refused, on the cores that compute for the others. What Flask, the parsing of the query
and the making of an answer cost then is most of what a refusal costs, so it is left out where nothing but admission
decides. The answer is the same, which a test holds it to.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from api import problems
from api.account import Account
from api.admission import Admission, Overloaded
from api.body import discard_input
from api.bookkeeping import PREDICT, Bookkeeping
from api.errors import STATUS, family_problem
from api.requests import request_id_of
from api.security_headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Doorkeeper:
    """WSGI (PEP 3333) around the application: answers a `POST /predict` that finds no place, passes on everything else.

    Passed on are also requests whose refusal would need more: of another origin (CORS), of unknown length, too long.
    """

    def __init__(
        self, application: "WSGIApplication", admission: Admission, bookkeeping: Bookkeeping, max_body_bytes: int
    ) -> None:
        self._application = application
        self._admission = admission
        self._bookkeeping = bookkeeping
        self._max_body_bytes = max_body_bytes

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The answer of the application, or the refusal."""
        if not self._concerns(environ):
            return self._application(environ, start_response)
        known = Account()
        try:
            self._admission.check()
        except Overloaded as error:
            known.refusal = error.cause
            body = self._refusal(error, environ, start_response)
            self._bookkeeping.settle(known, _facts(environ, len(body)))
            return [body]
        return self._application(environ, start_response)

    def _concerns(self, environ: "WSGIEnvironment") -> bool:
        length = environ.get("CONTENT_LENGTH", "")
        return (
            environ["REQUEST_METHOD"] == "POST"
            and environ["PATH_INFO"] == PREDICT
            and "HTTP_ORIGIN" not in environ
            and length.isdecimal()
            and int(length) <= self._max_body_bytes
        )

    def _refusal(self, error: Overloaded, environ: "WSGIEnvironment", start_response: "StartResponse") -> bytes:
        # A client that is still sending would not get to see the answer otherwise.
        discard_input(environ["wsgi.input"], int(environ["CONTENT_LENGTH"]))
        status, identity = STATUS[Overloaded], request_id_of(environ)
        body = family_problem(error, status, PREDICT, identity)
        headers = {
            "Content-Type": problems.MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Retry-After": str(error.retry_after),
            "X-Request-Id": identity,
        }
        start_response(f"{status} {problems.phrase(status)}", [*headers.items(), *SECURITY_HEADERS.items()])
        return body


def _facts(environ: "WSGIEnvironment", size: int) -> dict[str, Any]:
    """What the log says of it."""
    return {
        "request_id": request_id_of(environ),
        "client": environ.get("REMOTE_ADDR"),
        "method": "POST",
        "path": PREDICT,
        "route": PREDICT,
        "status": STATUS[Overloaded],
        "bytes": size,
    }
