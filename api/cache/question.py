"""One request and the cache.

`X-Cache` says what came of it:
    hit      the answer was there; nothing was computed, no slot was taken
    miss     it was not; it is now, unless it is too large or breaks off
    bypass   the client asked not to look: `Cache-Control: no-cache` keeps the new answer, `no-store` keeps nothing
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol, cast

from flask import Response, request
from werkzeug.wsgi import wrap_file

from api.cache.entry import Facts, Found, Store, Writer
from api.cache.key import READ_BYTES, Variant, answer_key, content_digest
from api.errors import NothingNew
from api.requests import HushRequest, uploaded_audio
from api.responses import SEND_BYTES, Encoded
from api.streaming import StreamedBody
from inference.store import ModelInfo

HIT, MISS, BYPASS = "hit", "miss", "bypass"

CREDENTIALS = ("Authorization", "X-API-Key")

Counted = Callable[[str], None]


def uncounted(outcome: str) -> None:
    """For who does not count."""


class Question(Protocol):
    """What `/predict` wants of a cache, for one request."""

    upload: BinaryIO | None  # received already, where looking for the answer took it

    def stored(self) -> Response | None:
        """The answer, where it is there; raises `NothingNew` where the client has it."""

    def keep(self, encoded: Encoded, file_name: str, answer: Response) -> Response:
        """`answer`, which sends `encoded`, with what the cache says of it; raises `NothingNew`."""

    def keep_streamed(self, file_name: str, answer: Response) -> Response:
        """The streamed `answer`, kept if it comes to its end."""


class Cache(Protocol):
    """Where to ask."""

    def ask(self, model: ModelInfo, variant: Variant) -> Question:
        """About the current request."""


class ResultCache:
    """Answers in `store`; `counted` is told "hit", "miss" or "bypass" for each request."""

    def __init__(self, store: Store, build: str, counted: Counted = uncounted) -> None:
        self._store = store
        self._build = build
        self._counted = counted

    def ask(self, model: ModelInfo, variant: Variant) -> "Asked | Unasked":
        """Receives the upload and looks for its answer; raises what receiving raises."""
        wish = request.cache_control
        if wish.no_store:
            self._counted(BYPASS)
            return Unasked(BYPASS)
        upload = uploaded_audio(cast(HushRequest, request))
        credentials = [request.headers.get(name, "") for name in CREDENTIALS]
        key = answer_key(self._build, model, variant, credentials, content_digest(upload))
        found = None if wish.no_cache else self._store.find(key)
        outcome = BYPASS if wish.no_cache else MISS if found is None else HIT
        self._counted(outcome)
        return Asked(self._store, key, upload, found, outcome)


class NoCache:
    """Nothing is kept, nothing is said of it."""

    def ask(self, model: ModelInfo, variant: Variant) -> "Unasked":
        """Nothing to look for."""
        return Unasked("")


class Unasked:
    """A request whose answer is neither looked for nor kept."""

    upload: BinaryIO | None = None

    def __init__(self, outcome: str) -> None:
        self._outcome = outcome

    def stored(self) -> Response | None:
        """See `Question`."""
        return None

    def keep(self, encoded: Encoded, file_name: str, answer: Response) -> Response:
        """See `Question`."""
        return self._said(answer)

    def keep_streamed(self, file_name: str, answer: Response) -> Response:
        """See `Question`."""
        return self._said(answer)

    def _said(self, answer: Response) -> Response:
        if self._outcome:
            answer.headers["X-Cache"] = self._outcome
        return answer


class Asked:
    """A request whose answer was looked for."""

    def __init__(self, store: Store, key: str, upload: BinaryIO, found: Found | None, outcome: str) -> None:
        self.upload: BinaryIO | None = upload
        self._store = store
        self._key = key
        self._found = found
        self._outcome = outcome

    def stored(self) -> Response | None:
        """See `Question`."""
        found = self._found
        if found is None:
            return None
        if request.if_none_match.contains_weak(found.digest):
            found.file.close()
            raise NothingNew(found.digest)
        answer = Response(
            wrap_file(request.environ, found.file, SEND_BYTES),
            mimetype=found.facts.media_type,
            direct_passthrough=True,
        )
        answer.content_length = found.size
        answer.headers["Content-Disposition"] = f"attachment; filename={found.facts.file_name}"
        if found.facts.clipped_samples is not None:
            answer.headers["X-Clipped-Samples"] = str(found.facts.clipped_samples)
        answer.vary.add("Accept")
        return self._said(answer, found.digest)

    def keep(self, encoded: Encoded, file_name: str, answer: Response) -> Response:
        """See `Question`."""
        writer = self._store.writer(self._key)
        while data := encoded.file.read(READ_BYTES):
            writer.write(data)
        encoded.file.seek(0)
        writer.keep(
            Facts(media_type=encoded.format.media_type, file_name=file_name, clipped_samples=encoded.clipped_samples)
        )
        if request.if_none_match.contains_weak(writer.digest):
            encoded.file.close()
            raise NothingNew(writer.digest)
        return self._said(answer, writer.digest)

    def keep_streamed(self, file_name: str, answer: Response) -> Response:
        """See `Question`."""
        answer.response = KeptStream(
            cast(StreamedBody, answer.response),
            self._store.writer(self._key),
            Facts(media_type=answer.mimetype or "", file_name=file_name, clipped_samples=None),
        )
        return self._said(answer)

    def _said(self, answer: Response, digest: str = "") -> Response:
        answer.headers["X-Cache"] = self._outcome
        if digest:
            answer.set_etag(digest)
        return answer


class KeptStream:
    """A streamed body on its way to the client, written down as well; what breaks off is dropped."""

    def __init__(self, body: StreamedBody, writer: Writer, facts: Facts) -> None:
        self._body = body
        self._pieces = iter(body)
        self._writer = writer
        self._facts = facts

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._writer.keep(self._facts)
            raise
        self._writer.write(piece)
        return piece

    def close(self) -> None:
        """Ends the body too; the server calls it whatever happened."""
        self._writer.drop()
        self._body.close()

    def when_closed(self, callback: Callable[..., None]) -> None:
        """See `StreamedBody`."""
        self._body.when_closed(callback)
