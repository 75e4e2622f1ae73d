"""`POST /predict`: a noisy recording in, the clean voice out."""

from flask import Response, request
from flask_restful import Resource

from api.admission import Admission
from api.readiness import Readiness
from api.recording import Limits, opened_recording
from api.requests import PredictOptions, PredictSchema, query, wanted_format
from api.responses import Encoded, audio_answer, encode
from api.spool import Spooler
from api.timing import StageClock
from inference.audio import AudioReader, Format
from inference.enhancer import Enhancer, enhance
from inference.store import Model, ModelStore


class Predict(Resource):  # type: ignore[misc]
    """Enhances a recording; same frames, channels and (unless asked otherwise) rate."""

    def __init__(
        self, models: ModelStore, admission: Admission, limits: Limits, readiness: Readiness, spooler: Spooler
    ) -> None:
        self._models = models
        self._admission = admission
        self._limits = limits
        self._readiness = readiness
        self._spooler = spooler

    def post(self) -> Response:
        """200 with the audio; the errors of docs/api.md otherwise."""
        options: PredictOptions = query(PredictSchema, request)
        model = self._models.resolve(options.model)
        format = wanted_format(options.format, request.accept_mimetypes)
        clock = StageClock()
        with opened_recording(self._admission, clock, self._limits) as reader:
            encoded = self._enhanced(reader, model, options, format, clock)
        self._readiness.succeeded()
        return audio_answer(
            encoded, "enhanced", clock, {"X-Model": model.info.key, "X-Model-Version": model.info.version}
        )

    def _enhanced(
        self, reader: AudioReader, model: Model, options: PredictOptions, format: Format, clock: StageClock
    ) -> Encoded:
        rate = model.info.sampling_rate if options.sample_rate == "model" else reader.rate
        enhancer = Enhancer(
            model,
            rate=reader.rate,
            channels=reader.channels,
            output_rate=rate,
            attenuation_limit_db=options.attenuation_limit_db,
        )
        blocks = clock.during("enhance", enhance(clock.during("decode", reader.blocks()), enhancer))
        return encode(blocks, format, rate=rate, source=reader, spooler=self._spooler, clock=clock)
