"""`POST /predict`: a noisy recording in, the clean voice out."""

import random
from collections.abc import Iterator
from contextlib import ExitStack

from flask import Response, request
from flask_restful import Resource

from api.account import account
from api.admission import Admission
from api.readiness import Readiness
from api.recording import Limits, Recording, opened_recording
from api.requests import PredictOptions, PredictSchema, query, wanted_format
from api.responses import audio_answer, encode
from api.spool import Spooler
from api.streaming import StreamedBody, streamed_answer
from api.timing import StageClock
from inference.audio import AudioReader, Format
from inference.enhancer import Enhancer, enhance
from inference.quality import QualityMeter
from inference.resample import resampled_length
from inference.samples import Samples
from inference.store import Model, ModelStore
from inference.stream_encode import StreamWriter

NAME = "enhanced"  # of the attachment
COUNTED = ("wav", "flac")  # the containers whose promise of frames is held to the frame


class Predict(Resource):  # type: ignore[misc]
    """Enhances a recording; same frames, channels and (unless asked otherwise) rate."""

    def __init__(
        self,
        models: ModelStore,
        admission: Admission,
        limits: Limits,
        readiness: Readiness,
        spooler: Spooler,
        quality_share: float,
    ) -> None:
        self._models = models
        self._admission = admission
        self._limits = limits
        self._readiness = readiness
        self._spooler = spooler
        self._quality_share = quality_share

    def post(self) -> Response:
        """200 with the audio; the errors of docs/api.md otherwise."""
        options: PredictOptions = query(PredictSchema, request)
        model = self._models.resolve(options.model)
        format = wanted_format(options.format, request.accept_mimetypes)
        # HTTP/1.0 has no chunks: a client could not tell an answer that broke off from a whole one.
        streamed = options.stream and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        known = account()
        known.model = model.info
        clock = known.clock = StageClock()
        with ExitStack() as held:
            recording = held.enter_context(opened_recording(self._admission, clock, self._limits, streamed=streamed))
            enhancer = _enhancer(recording.reader, model, options)
            known.enhancer = enhancer
            decoded = clock.during("decode", recording.blocks())
            if random.random() < self._quality_share:
                known.meter = QualityMeter(enhancer.rate, enhancer.channels, enhancer.output_rate)
                enhanced = known.meter.listen_to_answer(enhance(known.meter.listen(decoded), enhancer))
            else:
                enhanced = enhance(decoded, enhancer)
            blocks = clock.during("enhance", enhanced)
            answer = (
                _streamed(recording, enhancer, blocks, format, held)
                if streamed
                else self._spooled(recording, enhancer, blocks, format)
            )
        self._readiness.succeeded()
        answer.headers["X-Model"] = model.info.key
        answer.headers["X-Model-Version"] = model.info.version
        return answer

    def _spooled(self, recording: Recording, enhancer: Enhancer, blocks: Iterator[Samples], format: Format) -> Response:
        """The answer with its length, once all of it is there."""
        clock = recording.clock
        encoded = encode(
            blocks, format, rate=enhancer.output_rate, source=recording.reader, spooler=self._spooler, clock=clock
        )
        return audio_answer(encoded, NAME, clock, {})


def _enhancer(reader: AudioReader, model: Model, options: PredictOptions) -> Enhancer:
    return Enhancer(
        model,
        rate=reader.rate,
        channels=reader.channels,
        output_rate=model.info.sampling_rate if options.sample_rate == "model" else reader.rate,
        attenuation_limit_db=options.attenuation_limit_db,
    )


def _streamed(
    recording: Recording, enhancer: Enhancer, blocks: Iterator[Samples], format: Format, held: ExitStack
) -> Response:
    """The answer that begins now; it takes over what is `held`."""
    reader = recording.reader
    writer = StreamWriter(
        format,
        rate=enhancer.output_rate,
        channels=reader.channels,
        source_subtype=reader.subtype,
        frames=_promised(reader, enhancer.output_rate),
    )
    body = StreamedBody(blocks, writer, recording.turn, held.pop_all())
    return streamed_answer(body, format.media_type, NAME + format.extension)


def _promised(reader: AudioReader, rate: int) -> int | None:
    """How many frames the answer will have at `rate`; None where that shows at the end only."""
    if reader.frames is None or reader.container not in COUNTED:
        return None
    return resampled_length(reader.frames, reader.rate, rate)
