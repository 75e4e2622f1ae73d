"""`POST /mix-noise`: clean speech in, the same with noise at a chosen SNR out; `GET /noise-types`: which noises."""

import secrets
from typing import Any

import numpy as np
from flask import Response, request
from flask_restful import Resource

from api.account import account
from api.admission import Admission
from api.recording import Limits, Recording, opened_recording
from api.requests import MixOptions, MixSchema, query, wanted_format
from api.responses import audio_answer, encode
from api.spool import Spooler
from api.timing import StageClock
from inference.errors import AudioTooShort
from inference.noise import Mixture, NoiseLibrary, mix

SHORTEST_SECONDS = 0.032  # one window of the transform, as for /predict
SEED_BITS = 53  # a drawn seed fits into a JSON number


class NoiseTypes(Resource):  # type: ignore[misc]
    """The noises there are."""

    def __init__(self, noises: NoiseLibrary) -> None:
        self._noises = noises

    def get(self) -> dict[str, Any]:
        """200; `available` is what clients of the service that is replaced look at."""
        return {"available": bool(self._noises.types), "noise_types": list(self._noises.types)}


class MixNoise(Resource):  # type: ignore[misc]
    """Adds noise to a recording; the same seed gives the same answer."""

    def __init__(self, noises: NoiseLibrary, admission: Admission, limits: Limits, spooler: Spooler) -> None:
        self._noises = noises
        self._admission = admission
        self._limits = limits
        self._spooler = spooler

    def post(self) -> Response:
        """200 with the audio; the errors of docs/api.md otherwise."""
        options: MixOptions = query(MixSchema, request)
        self._noises.check(options.noise_type)
        format = wanted_format(options.format, request.accept_mimetypes)
        seed = secrets.randbits(SEED_BITS) if options.seed is None else options.seed
        clock = account().start_clock()
        with opened_recording(self._admission, clock, self._limits, whole=True) as recording:
            reader = recording.reader
            mixture = self._mixture(recording, options, seed, clock)
            encoded = encode(
                [mixture.samples], format, rate=reader.rate, source=reader, spooler=self._spooler, clock=clock
            )
        return audio_answer(encoded, "noisy", clock, {"X-Seed": seed, "X-Gain-Db": f"{mixture.gain_db:.3f}"})

    def _mixture(self, recording: Recording, options: MixOptions, seed: int, clock: StageClock) -> Mixture:
        reader = recording.reader
        with clock.stage("decode"):
            speech = np.concatenate(list(recording.blocks()))  # [frames, channels]
        account().audio_seconds = len(speech) / reader.rate
        shortest = round(SHORTEST_SECONDS * reader.rate)
        if len(speech) < shortest:
            raise AudioTooShort(len(speech), shortest)
        with clock.stage("enhance"):
            generator = np.random.default_rng(seed)
            noise = self._noises.make(options.noise_type, len(speech), reader.rate, generator)
            return mix(speech, noise, options.snr_db, reader.rate)
