"""gunicorn's threaded worker with this service's form of error answer.

gunicorn answers by itself what never becomes a request of the application: malformed lines and headers, too long ones,
unknown transfer codings. Its pages are HTML; here they are problem documents like every other error.
"""

from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from api import problems
from api.memory import Trimmer
from api.security_headers import SECURITY_HEADERS


class _Page:
    """Stands in for the client's socket and keeps what is written to it."""

    def __init__(self) -> None:
        self.written = b""

    def gettimeout(self) -> float:
        return 0.0

    def sendall(self, data: bytes) -> None:
        self.written += data


class ProblemWorker(ThreadWorker):  # type: ignore[misc]
    """Threads for requests; problem documents for what gunicorn refuses; no more memory than is in use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._trim = Trimmer()

    def notify(self) -> None:
        """Tells the master that the main loop runs, which it does at least once a second."""
        super().notify()
        self._trim()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Lets gunicorn log the error and choose the status, and answers in our form."""
        page = _Page()
        super().handle_error(req, page, addr, exc)
        status = int(page.written.split(maxsplit=2)[1])
        detail = str(exc) if status < 500 else problems.phrase(status)
        body = problems.document(status, detail, {})
        head = (
            f"HTTP/1.1 {status} {problems.phrase(status)}\r\nConnection: close\r\n"
            f"Content-Type: {problems.MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        )
        head += "".join(f"{name}: {value}\r\n" for name, value in SECURITY_HEADERS.items()) + "\r\n"
        try:
            util.write_nonblock(client, head.encode("latin-1") + body)
        except OSError:
            self.log.debug("The client left before it could be told of its error.")
