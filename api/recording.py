"""What the audio endpoints share: a slot to compute in, and in it the decoder over the uploaded recording."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from flask import request

from api.admission import Admission, Overloaded, Turn
from api.requests import HushRequest, discard_body, uploaded_audio
from api.timing import StageClock
from inference.audio import AudioReader
from inference.samples import Samples

THINNEST = 2000  # bytes a second: 16 kbit/s, for recordings that do not say how long they are


@dataclass(frozen=True)
class Limits:
    """What an endpoint takes; a recording of more than `long_seconds`, times its channels, is long work."""

    max_seconds: float
    max_channels: int
    long_seconds: float = math.inf
    max_samples: float = math.inf  # of all channels


@dataclass(frozen=True)
class Recording:
    """An opened recording and the slot it is worked on in."""

    reader: AudioReader
    turn: Turn
    clock: StageClock

    def blocks(self) -> Iterator[Samples]:
        """The blocks of the reader; between them others may go first, and work for nobody ends (`ClientGone`)."""
        for block in self.reader.blocks():
            yield block
            with self.clock.stage("queue"):
                self.turn.between_blocks()

    def count(self, limits: Limits) -> None:
        """Finds out how long a recording is that does not say so, or raises AudioTooLong, before it is worked on.

        Decoding costs some hundredths of enhancing, but of hours it is long work as well, and gives way like it.
        """
        for frames in self.clock.during("decode", self.reader.count()):
            if self.reader.channels * frames > limits.long_seconds * self.reader.rate:
                self.turn.become_long()
            with self.clock.stage("queue"):
                self.turn.between_blocks()


@contextmanager
def opened_recording(
    admission: Admission,
    clock: StageClock,
    limits: Limits,
    *,
    streamed: bool = False,
    whole: bool = False,
    received: BinaryIO | None = None,
) -> Iterator[Recording]:
    """Receives the upload of the current request, then holds a slot, and in it the opened recording.

    Receiving comes first, so that a slow client keeps a thread and never a slot; but who would be refused anyway is
    refused before the upload is stored and parsed. `received` is the upload where it is here already. With `streamed`
    the recording may outlive the request, and the slot may be left while an answer is being sent. With `whole` the
    caller decodes all of it before anything else: then it need not be counted first where it does not say how long it
    is. Raises what receiving, admission and the decoder raise.
    """
    current = cast(HushRequest, request)
    with clock.stage("parse"):
        upload = received or _received(admission, current)
    with ExitStack() as held:
        if streamed:
            held.callback(current.hand_over_spools())
        with clock.stage("queue"):
            turn = held.enter_context(admission.slot(_client(current)))
        with clock.stage("decode"):
            reader = held.enter_context(
                AudioReader(
                    upload,
                    max_seconds=limits.max_seconds,
                    max_channels=limits.max_channels,
                    max_samples=limits.max_samples,
                )
            )
        if streamed:
            turn.become_long()
        recording = Recording(reader, turn, clock)
        if not whole:
            recording.count(limits)
        if _work(reader, current) > limits.long_seconds:
            turn.become_long()
        yield recording


def _received(admission: Admission, current: HushRequest) -> BinaryIO:
    try:
        admission.check()
    except Overloaded:
        discard_body(current)
        raise
    return uploaded_audio(current)


def _client(current: HushRequest) -> int | None:
    """The descriptor of the client's socket, where the server tells (gunicorn does)."""
    socket = current.environ.get("gunicorn.socket")
    return None if socket is None else int(socket.fileno())


def _work(reader: AudioReader, current: HushRequest) -> float:
    """Seconds of all channels together; at most, where the recording does not say."""
    if reader.frames is not None:
        return reader.channels * reader.frames / reader.rate
    return (current.content_length or math.inf) / THINNEST
