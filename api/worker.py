"""gunicorn's threaded worker with this service's form of error answer.

gunicorn answers by itself what never becomes a request of the application: malformed lines and headers, too long ones,
unknown transfer codings. Its pages are HTML; here they are problem documents like every other error.
"""

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from api import fork_signals, problems
from api.body import read_exactly
from api.errors import USED_UP
from api.held_head import HeldHead
from api.memory import Trimmer
from api.security_headers import SECURITY_HEADERS

HEAD_SECONDS = 15.0  # as nginx has it (client_header_timeout)
ACCEPT_PAUSE_SECONDS = 0.1
REPORT_SECONDS = 0.5  # a twentieth of the shortest timeout
YIELD_SECONDS = 0.001  # a process that waits for a connection is awake in a twentieth of it,
MOST_YIELDS = 4  # unless its threads hold the interpreter, for up to 5 ms


class _Page:
    """Stands in for the client's socket and keeps what is written to it."""

    def __init__(self) -> None:
        self.written = b""

    def gettimeout(self) -> float:
        return 0.0

    def sendall(self, data: bytes) -> None:
        self.written += data


class ProblemWorker(ThreadWorker):  # type: ignore[misc]
    """Threads for requests; problem documents for what gunicorn refuses; no more memory than is in use.

    Four faults that gunicorn does not outlive: a worker told to stop before it has its own signal handlers
    (api/fork_signals.py), one killed between head and body of an answer (api/held_head.py), a client that sends its
    headers a byte at a time and keeps a thread for as long as it likes, and a connection that cannot be accepted for
    want of a descriptor, which ends the worker with all others.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads: dict[Any, float] = {}  # connection whose headers are being read -> when that must be over
        self._trim = Trimmer()
        self._next_report = 0.0
        self._yields = 0  # in a row

    def hold_signals(self) -> None:
        """In the master, right before the fork."""
        fork_signals.hold()

    def init_signals(self) -> None:
        """In the worker: its own handlers, and what was held for them."""
        super().init_signals()
        fork_signals.release()

    def notify(self) -> None:
        """Tells the master that the main loop runs, which it does at least once a second, and the others how busy.

        With every event, as gunicorn has it, the report is a sixth of what refusing a request takes.
        """
        if time.monotonic() >= self._next_report:
            super().notify()
            self._next_report = time.monotonic() + REPORT_SECONDS
        self._crew.carry(self)
        self._trim()

    @property
    def _crew(self) -> Any:
        return self.wsgi.extensions["crew"]

    def accept(self, listener: Any) -> None:
        """Accepts, after those who have fewer connections had a chance to.

        Connections are kept for many requests: whoever got most of them by chance would be slow for as long as they
        stay. Waits a little as well when there are no descriptors left: others will be given back.
        """
        if self._yields < MOST_YIELDS and self._crew.has_less_than(self):
            self._yields += 1
            time.sleep(YIELD_SECONDS)
            return  # requests of its own connections come first, then this again, unless another one took it
        self._yields = 0
        try:
            super().accept(listener)
            self._crew.carry(self)
        except OSError as error:
            if error.errno not in USED_UP:
                raise
            self.log.warning("A connection has to wait: %s", error)
            time.sleep(ACCEPT_PAUSE_SECONDS)

    def handle(self, conn: Any) -> Any:
        """Serves one request of a connection, in a thread."""
        self._heads[conn] = time.monotonic() + HEAD_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._heads.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The headers are there; the answer's own are held for the beginning of its body."""
        self._heads.pop(conn, None)
        read_exactly(req)
        plain, conn.sock = conn.sock, HeldHead(conn.sock)
        try:
            return super().handle_request(req, conn)
        finally:
            held, conn.sock = conn.sock, plain
            held.flush()

    def murder_pending(self) -> None:
        """Called each second: connections whose headers take too long get no more of a thread's time."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._heads.items()):
            if deadline < now and self._heads.pop(conn, None) is not None:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)  # the thread reads the end, and closes

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
