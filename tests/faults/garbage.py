"""Requests that begin as good ones and are then damaged: bodies, forms, headers, queries; the same ones each time."""

import random
from dataclasses import dataclass

from tests.api.recordings import FORM_TYPE, form
from tests.api.test_fuzz import BASES, SHORT, mutated, printable

PATHS = (
    "/predict",
    "/predict",
    "/predict",
    "/mix-noise",
    "/models/recurrent",
    "/noise-types",
    "/readyz",
    "/static/x/y",
)
QUERIES = (
    b"model=lsa&format=flac&sample_rate=model&attenuation_limit_db=12.5",
    b"model=lsa&format=ogg&stream=true",
    b"model=dae&format=mp3",
    b"noise_type=white&snr_db=-5.5&seed=12345&format=wav",
    b"noise_type=babble&snr_db=1e1",
)
HEADERS = {
    "Content-Type": (b"audio/wav", b"audio/flac; rate=16000", b"application/octet-stream", FORM_TYPE.encode()),
    "Accept": (
        b"audio/flac;q=0.5, audio/wav",
        b"application/json",
        b"*/*;q=0.1",
        b"audio/ogg, application/problem+json",
    ),
    "X-Request-Id": (b"call-1234",),
    "Authorization": (b"Bearer name.secret", b"Basic bmFtZTpwYXNz"),
    "X-API-Key": (b"name.secret",),
    "If-None-Match": (b'"0123456789abcdef"', b"W/*"),
    "Range": (b"bytes=0-100,200-",),
    "Origin": (b"https://example.org",),
    "Content-Encoding": (b"gzip",),
    "X-Forwarded-For": (b"192.0.2.1, 10.0.0.1",),
    "Cookie": (b"a=b; c=d",),
}


@dataclass(frozen=True)
class Request:
    """One request; header values are what an HTTP client would still send."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


def request(number: int) -> Request:
    """The request of that number: half of them damaged recordings, the rest damaged around them."""
    dice = random.Random(number)
    query, body, headers = b"model=lsa", SHORT, {"Content-Type": b"audio/wav"}
    path, method = "/predict", "POST"
    kind = number % 8
    if kind < 4:
        body = mutated(BASES[dice.choice(sorted(BASES))], dice)
        if kind == 3:
            body, headers = form(body), {"Content-Type": FORM_TYPE.encode()}
    elif kind == 4:
        whole = form(SHORT)
        start = dice.choice((0, len(whole) - 120))
        body = whole[:start] + mutated(whole[start : start + 120], dice) + whole[start + 120 :]
        headers = {"Content-Type": FORM_TYPE.encode()}
    elif kind == 5:
        for name in dice.sample(sorted(HEADERS), dice.randint(1, 4)):
            headers[name] = mutated(dice.choice(HEADERS[name]), dice)
    else:
        path = dice.choice(PATHS)
        query = mutated(dice.choice(QUERIES), dice)
        method = dice.choice(("POST", "POST", "POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS"))
    text = {name: printable(value.decode("latin-1")).decode("latin-1") for name, value in headers.items()}
    return Request(method, path, quoted(query), text, body)


def quoted(query: bytes) -> str:
    """A query as it can stand in a request line: what cannot is written as %XX, except where chance left a `%`."""
    return "".join(chr(byte) if 0x21 <= byte < 0x7F and byte != 0x23 else f"%{byte:02X}" for byte in query)
