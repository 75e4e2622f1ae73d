"""`POST /predict`: a noisy recording in, the clean voice out."""

import random
from collections.abc import Iterator
from contextlib import ExitStack

from flask import Response, request
from flask_restful import Resource

from api.account import account
from api.admission import Admission
from api.cache import Cache
from api.cache.key import Variant
from api.cache.question import Question
from api.canary import ModelChoice
from api.errors import BodyTooLarge, request_id, show_the_way
from api.readiness import Readiness
from api.recording import Limits, Recording, opened_recording
from api.requests import PredictOptions, PredictSchema, query, wanted_format
from api.responses import Encoded, audio_answer, encode
from api.spool import Spooler
from api.streaming import StreamedBody, streamed_answer
from inference.audio import AudioReader, Format
from inference.enhancer import Enhancer, enhance
from inference.errors import AudioTooLong
from inference.quality import QualityMeter
from inference.resample import resampled_length
from inference.samples import Samples
from inference.store import Model
from inference.stream_encode import StreamWriter

NAME = "enhanced"  # of the attachment
COUNTED = ("wav", "flac")  # the containers whose promise of frames is held to the frame


class Predict(Resource):  # type: ignore[misc]
    """Enhances a recording; same frames, channels and (unless asked otherwise) rate."""

    def __init__(
        self,
        choice: ModelChoice,
        admission: Admission,
        limits: Limits,
        readiness: Readiness,
        spooler: Spooler,
        cache: Cache,
        jobs_path: str | None,
        quality_share: float,
    ) -> None:
        self._choice = choice
        self._admission = admission
        self._limits = limits
        self._readiness = readiness
        self._spooler = spooler
        self._cache = cache
        self._jobs_path = jobs_path
        self._quality_share = quality_share

    def post(self) -> Response:
        """200 with the audio; the errors of docs/api.md otherwise. What is too long is shown the way to jobs."""
        try:
            return self._post()
        except (AudioTooLong, BodyTooLarge) as error:
            if self._jobs_path is not None:
                show_the_way(error, self._jobs_path)
            raise

    def _post(self) -> Response:
        options: PredictOptions = query(PredictSchema, request)
        model = self._choice(options.model if "model" in request.args else None, request_id())
        format = wanted_format(options.format, request.accept_mimetypes)
        # HTTP/1.0 has no chunks: a client could not tell an answer that broke off from a whole one.
        streamed = options.stream and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        account().model = model.info
        question = self._cache.ask(model.info, _variant(options, format, streamed))
        answer = question.stored() or self._made(question, model, options, format, streamed)
        answer.headers["X-Model"] = model.info.key
        answer.headers["X-Model-Version"] = model.info.version
        return answer

    def _made(
        self, question: Question, model: Model, options: PredictOptions, format: Format, streamed: bool
    ) -> Response:
        """The answer that takes a slot; it is kept where there is a cache."""
        known = account()
        clock = known.start_clock()
        file_name = NAME + format.extension
        with ExitStack() as held:
            recording = held.enter_context(
                opened_recording(self._admission, clock, self._limits, streamed=streamed, received=question.upload)
            )
            enhancer = _enhancer(recording.reader, model, options)
            known.enhancer = enhancer
            decoded = clock.during("decode", recording.blocks())
            if self._to_be_measured():
                known.meter = QualityMeter(enhancer.rate, enhancer.channels, enhancer.output_rate)
                enhanced = known.meter.listen_to_answer(enhance(known.meter.listen(decoded), enhancer))
            else:
                enhanced = enhance(decoded, enhancer)
            blocks = clock.during("enhance", enhanced)
            if streamed:
                answer = question.keep_streamed(file_name, _streamed(recording, enhancer, blocks, format, held))
            else:
                encoded = self._encoded(recording, enhancer, blocks, format)
        self._readiness.succeeded()
        return answer if streamed else question.keep(encoded, file_name, audio_answer(encoded, NAME, clock, {}))

    def _to_be_measured(self) -> bool:
        """By lot; never while others wait, who have more use for that time."""
        drawn = random.random() < self._quality_share  # nosec B311: a sample of the traffic, no secret
        return drawn and not self._admission.waiting()

    def _encoded(self, recording: Recording, enhancer: Enhancer, blocks: Iterator[Samples], format: Format) -> Encoded:
        return encode(
            blocks,
            format,
            rate=enhancer.output_rate,
            source=recording.reader,
            spooler=self._spooler,
            clock=recording.clock,
            frames=_promised(recording.reader, enhancer.output_rate),
        )


def _variant(options: PredictOptions, format: Format, streamed: bool) -> Variant:
    return Variant(
        format=format.name,
        sample_rate=options.sample_rate,
        attenuation_limit_db=options.attenuation_limit_db,
        stream=streamed,
    )


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
