"""A thousand mutated uploads through the real server: no failure of the service, no hang, nothing left behind."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from tests.api.recordings import FORM_TYPE, encoded, form, noise
from tests.servers import Server, wait_for

AUDIO_MUTATIONS = 700
FORM_MUTATIONS = 300
CLIENTS = 4
ANSWER_SECONDS = 20.0  # far above what a quarter of a second of audio may take, even on a busy machine
EXPECTED = {200, 400, 413, 415, 422}
HEADER_BYTES = 96

BASES = {
    "wav": encoded(noise(0.25)),
    "wav float": encoded(noise(0.25), subtype="FLOAT"),
    "flac": encoded(noise(0.25, channels=2), container="FLAC"),
    "vorbis": encoded(noise(0.25), container="OGG", subtype="VORBIS"),
    "opus": encoded(noise(0.25, 48000), 48000, container="OGG", subtype="OPUS"),
    "mp3": encoded(noise(0.25), container="MP3"),
}
SHORT = encoded(noise(0.05))
Mutation = Callable[[bytearray, random.Random], None]


def flip(data: bytearray, dice: random.Random, end: int | None = None) -> None:
    for _ in range(dice.randint(1, 8)):
        data[dice.randrange(min(end or len(data), len(data)))] = dice.choice(
            (0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256))
        )


def flip_header(data: bytearray, dice: random.Random) -> None:
    flip(data, dice, HEADER_BYTES)


def cut(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(1, len(data)) :]


def drop(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    del data[start : start + dice.randint(1, 200)]


def insert(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    data[start:start] = dice.randbytes(dice.randint(1, 200))


def repeat(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    data[start:start] = data[start : start + dice.randint(1, 2000)]


def splice(data: bytearray, dice: random.Random) -> None:
    other = BASES[dice.choice(sorted(BASES))]
    data[dice.randrange(len(data)) :] = other[dice.randrange(len(other)) :]


def blank(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    length = min(dice.randint(1, 400), len(data) - start)
    data[start : start + length] = bytes([dice.choice((0, 0xFF))]) * length


MUTATIONS: tuple[Mutation, ...] = (flip, flip_header, flip_header, cut, drop, insert, repeat, splice, blank)


def mutated(data: bytes, dice: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        if len(result) > 1:
            dice.choice(MUTATIONS)(result, dice)
    return bytes(result)


def audio_requests() -> Iterator[tuple[str, bytes, str]]:
    """(name for the report, body, content type)."""
    for number in range(AUDIO_MUTATIONS):
        dice = random.Random(number)
        name = sorted(BASES)[number % len(BASES)]
        content = mutated(BASES[name], dice)
        if dice.random() < 0.5:
            yield f"{name} {number}", content, "audio/wav"
        else:
            yield f"{name} in a form {number}", form(content), FORM_TYPE


def form_requests() -> Iterator[tuple[str, bytes, str]]:
    """Forms whose framing is mutated, not (only) the recording in them, and mutated content types."""
    for number in range(FORM_MUTATIONS):
        dice = random.Random(10_000 + number)
        good = form(SHORT)
        start = dice.choice((0, len(good) - 120))
        framing = mutated(good[start : start + 120], dice)
        content_type = FORM_TYPE
        if number % 5 == 0:
            content_type = mutated(FORM_TYPE.encode(), dice).decode("latin-1")
        yield f"form {number}", good[:start] + framing + good[start + 120 :], content_type


def printable(content_type: str) -> bytes:
    """What an HTTP client would still send as a header."""
    kept = bytes(byte for byte in content_type.encode("latin-1") if byte >= 0x20 and byte != 0x7F)
    return kept[:1000].strip() or b"x"


def open_files(server: Server) -> int:
    return sum(worker.num_fds() for worker in server.workers())


@pytest.mark.parametrize("requests_of", [audio_requests, form_requests])
def test_mutations_are_answered_as_bad_input(spooling: tuple[Server, Path], requests_of: Callable[[], Iterator]):
    server, spool = spooling
    workers = {worker.pid for worker in server.workers()}
    before = open_files(server)

    def send(case: tuple[str, bytes, str]) -> tuple[str, int, str]:
        name, body, content_type = case
        answer = requests.post(
            f"{server.url}/predict?model=lsa",
            data=body,
            headers={"Content-Type": printable(content_type), "Connection": "close"},
            timeout=ANSWER_SECONDS,
        )
        return name, answer.status_code, answer.headers["Content-Type"]

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(send, requests_of()))
    assert [answer for answer in answers if answer[1] not in EXPECTED] == []
    assert {kind for _, status, kind in answers if status != 200} == {"application/problem+json"}
    counted = Counter(status for _, status, _ in answers)
    assert counted[200] > 0, "nothing survived its mutation: they are too strong to get far"
    assert counted[400] > len(answers) / 5, "hardly anything was refused: they are too weak"
    assert {worker.pid for worker in server.workers()} == workers
    assert list(spool.iterdir()) == []
    wait_for(lambda: open_files(server) <= before + CLIENTS, 10, "closing of all files")
    assert "Traceback" not in server.log
    assert not any(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in workers)
