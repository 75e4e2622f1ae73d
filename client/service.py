"""The service as an object: one may be shared by threads."""

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from client.errors import Refused, Stopped, Unreachable
from client.options import Options
from client.patience import LATER, Patience, retry_after

Answer = TypeVar("Answer")

CONNECT_SECONDS = 10.0
PIECE_BYTES = 256 * 1024
AUDIO = "application/octet-stream"  # the service looks at the bytes, not at names


class Bearer(requests.auth.AuthBase):
    """Sends the API key; as `auth`, so that a .netrc file does not put something else in its place."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """With the header."""
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Hush:
    """A service at `url`. `answer_s` is how long it may be silent while it works on a recording.

    `notice` is told, in words, when the service cannot be reached and is tried again.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        answer_s: float = 300.0,
        patience: Patience | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{url!r} is no address of a service, such as https://voice.example.org")
        self._base = url.rstrip("/") + "/"
        self._auth = Bearer(api_key) if api_key else None
        self._answer_s = answer_s
        self._patience = patience or Patience()
        self._notice = notice
        self._own = threading.local()
        self._stopped = threading.Event()

    def enhance(self, recording: str | Path, options: Options | None = None) -> bytes:
        """The clean recording, as a file in memory; raises `ClientError`, and OSError for the recording."""
        return self.send("predict", lambda answer: answer.content, recording=Path(recording), options=options)

    def enhance_file(self, recording: str | Path, target: str | Path, options: Options | None = None) -> None:
        """Writes the clean recording to `target`, which is there as a whole or not at all; raises as `enhance`."""

        def receive(answer: requests.Response) -> None:
            save(answer, Path(target))

        self.send("predict", receive, recording=Path(recording), options=options)

    def json(self, path: str) -> Any:
        """The document at `path`; raises `ClientError`."""
        return self.send(path, _json, method="GET")

    def models(self) -> list[dict[str, Any]]:
        """What the service knows of its models; raises `ClientError`."""
        document = self.json("models")
        if not isinstance(document, dict) or "available_models" not in document:
            raise Refused(200, {}, "the answer does not come from a Hush service")
        return list(document["available_models"])

    def stop(self) -> None:
        """Ends every wait of every thread with `Stopped`."""
        self._stopped.set()

    def sleep(self, seconds: float) -> None:
        """Waits; raises `Stopped`."""
        if self._stopped.wait(seconds):
            raise Stopped

    def send(
        self,
        path: str,
        receive: Callable[[requests.Response], Answer],
        *,
        method: str = "POST",
        recording: Path | None = None,
        options: Options | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """What `receive` makes of the answer, after as many tries as it takes; raises `ClientError`.

        Every request of this client may be repeated: enhancing twice does no harm.
        """
        tried = 0
        while True:
            self.sleep(0)
            tried += 1
            asked = None
            try:
                return self._try(path, receive, method, recording, options, headers)
            except _Later as later:
                reason, asked = str(later), later.asked
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                reason = str(error)
            wait = self._patience.wait(tried, asked)
            if wait is None:
                raise Unreachable(tried, reason)
            if asked is None and self._notice is not None:
                self._notice(f"{self._base}{path}: {reason}; next try in {wait:.1f} s")
            self.sleep(wait)

    def once(self, method: str, path: str) -> None:
        """A request whose failure does not matter, tried once, even after `stop`."""
        with suppress(requests.RequestException):
            self._session().request(
                method, self._url(path), auth=self._auth, timeout=CONNECT_SECONDS, allow_redirects=False
            )

    def _try(
        self,
        path: str,
        receive: Callable[[requests.Response], Answer],
        method: str,
        recording: Path | None,
        options: Options | None,
        headers: dict[str, str] | None,
    ) -> Answer:
        with ExitStack() as held:
            body = None if recording is None else held.enter_context(recording.open("rb"))
            answer = self._session().request(
                method,
                self._url(path),
                params=options.query() if options is not None else None,
                data=body,
                headers={**({"Content-Type": AUDIO} if body else {}), **(headers or {})},
                auth=self._auth,
                timeout=(CONNECT_SECONDS, self._answer_s),
                allow_redirects=False,  # a redirected POST would become a GET, and the key would go elsewhere
                stream=True,
            )
            held.callback(answer.close)
            if answer.status_code in LATER:
                raise _Later(answer)
            if not 200 <= answer.status_code < 300:
                raise Refused(answer.status_code, problem(answer), answer.headers.get("Location", ""))
            return receive(answer)

    def _url(self, path: str) -> str:
        """`path` of the service, which may be an address of it as well."""
        url = urljoin(self._base, path)
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise Refused(0, {}, f"the service sent us elsewhere: {url}")
        return url

    def _session(self) -> requests.Session:
        """One for each thread; it keeps the connection."""
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        session: requests.Session = self._own.session
        return session


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except requests.exceptions.JSONDecodeError as error:
        raise Refused(answer.status_code, {}, "the answer is no JSON") from error


class _Later(Exception):
    """The service asks for another try."""

    def __init__(self, answer: requests.Response) -> None:
        self.asked = retry_after(answer.headers.get("Retry-After"))
        detail = problem(answer).get("detail") or answer.reason
        super().__init__(f"{answer.status_code}: {detail}")


def problem(answer: requests.Response) -> dict[str, Any]:
    """The problem document of an answer, empty where it is none."""
    try:
        document = answer.json()
    except requests.exceptions.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def save(answer: requests.Response, target: Path) -> None:
    """Writes the body beside `target` and renames it when it is complete; raises `Refused` where it is no audio."""
    kind = answer.headers.get("Content-Type", "")
    if not kind.startswith("audio/"):
        raise Refused(answer.status_code, {}, f"the answer is {kind or 'of no type'}, not audio")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("wb") as file:
            for piece in answer.iter_content(PIECE_BYTES):
                file.write(piece)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
