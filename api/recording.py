"""What the audio endpoints share: a slot to compute in, and in it the decoder over the uploaded recording."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

from flask import request

from api.admission import Admission
from api.requests import HushRequest, uploaded_audio
from api.timing import StageClock
from inference.audio import AudioReader


@dataclass(frozen=True)
class Limits:
    """What an endpoint takes."""

    max_seconds: float
    max_channels: int


@contextmanager
def opened_recording(admission: Admission, clock: StageClock, limits: Limits) -> Iterator[AudioReader]:
    """Receives the upload of the current request, then holds a slot, and in it the opened recording.

    Receiving comes first, so that a slow client keeps a thread and never a slot. Raises what receiving, admission and
    the decoder raise.
    """
    upload = uploaded_audio(cast(HushRequest, request))
    with ExitStack() as held:
        with clock.stage("queue"):
            held.enter_context(admission.slot())
        with clock.stage("decode"):
            reader = held.enter_context(
                AudioReader(upload, max_seconds=limits.max_seconds, max_channels=limits.max_channels)
            )
        yield reader
