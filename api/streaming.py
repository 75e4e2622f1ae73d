"""Answers that begin while the rest is being enhanced (`stream=true`)."""

import errno
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from typing import Self

from flask import Response

from api.admission import ClientGone, Turn
from api.errors import problem_name, request_id
from api.log import logger
from api.responses import SEND_BYTES
from inference.errors import HushError
from inference.samples import Samples
from inference.stream_encode import StreamWriter

log = logger("hush")


class StreamCutOff(ConnectionResetError):
    """Ends the connection without the last chunk: to gunicorn this is a client that has gone, and no more is said."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ECONNRESET, reason)


class StreamedBody:
    """The bytes of an answer, made when the server asks for them.

    The first piece is made at once, so that what is wrong with the recording's beginning is answered like any other
    error. An error after that has no status to be told in: the connection breaks off, which chunked transfer coding
    lets the client see. The slot is held while a piece is made and left while it is sent: a slow client keeps a
    thread and a pass, never a slot. `held` is what ends with the answer.
    """

    def __init__(self, blocks: Iterable[Samples], writer: StreamWriter, turn: Turn, held: ExitStack) -> None:
        self._id = request_id()
        self._pieces = _pieces(blocks, writer, turn, held)
        self._first: bytes | None = next(self._pieces, b"")
        self._sent = 0
        self._broken = "client-gone"  # what closing it now would mean
        self._closed: list[Callable[..., None]] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        piece = self._next()
        self._sent += len(piece)
        return piece

    def when_closed(self, callback: Callable[..., None]) -> None:
        """Calls `callback` at the end with `sent`, the bytes asked for, and `broken`: why not all were, or ""."""
        self._closed.append(callback)

    def close(self) -> None:
        """Gives back what is held; the server calls it whatever happened."""
        self._pieces.close()
        while self._closed:
            self._closed.pop()(sent=self._sent, broken=self._broken)

    def _next(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return next(self._pieces)
        except StopIteration:
            self._broken = ""
            raise
        except ClientGone as error:
            raise StreamCutOff("the client has gone") from error
        except HushError as error:
            self._broken = problem_name(type(error))
            log.warning("a streamed answer breaks off", request_id=self._id, reason=str(error))
            raise StreamCutOff(str(error)) from error
        except Exception:
            self._broken = "internal"
            raise


def streamed_answer(body: StreamedBody, media_type: str, file_name: str) -> Response:
    """The answer of unknown length; nginx in front is asked not to collect it first."""
    answer = Response(body, mimetype=media_type, direct_passthrough=True)
    answer.headers["Content-Disposition"] = f"attachment; filename={file_name}"
    answer.headers["X-Accel-Buffering"] = "no"
    answer.vary.add("Accept")
    return answer


def _pieces(
    blocks: Iterable[Samples], writer: StreamWriter, turn: Turn, held: ExitStack
) -> Generator[bytes, None, None]:
    with held:
        for data in _encoded(blocks, writer):
            turn.leave()
            # In pieces, because the time limit for sending holds for each of them.
            yield from (data[start : start + SEND_BYTES] for start in range(0, len(data), SEND_BYTES))
            turn.come_back()


def _encoded(blocks: Iterable[Samples], writer: StreamWriter) -> Iterator[bytes]:
    for block in blocks:
        if data := writer.write(block):
            yield data
    yield writer.close()
