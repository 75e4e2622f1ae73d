"""The application: which endpoint answers which path, and what holds for all of them."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from flask_restful import Api
from werkzeug.middleware.proxy_fix import ProxyFix

from api.access import allow_origins, demand_keys
from api.admission import Admission
from api.assets import held_json, load_assets
from api.bookkeeping import Bookkeeping
from api.cache import make_cache
from api.canary import ModelChoice
from api.crew import Crew
from api.doorkeeper import Doorkeeper
from api.errors import answer, request_id
from api.gauges import Gauges
from api.jobs.figures import JobFigures
from api.jobs.office import open_office
from api.keys import KeyRing
from api.memory import Holes
from api.metrics import Metrics
from api.readiness import Readiness
from api.recording import Limits
from api.references import load_references
from api.requests import HushRequest, acceptable
from api.resources.health import Health, Ready, Version, read_version
from api.resources.jobs import JobAudio, Jobs, OneJob
from api.resources.metrics import MetricsPage
from api.resources.mix_noise import MixNoise, NoiseTypes
from api.resources.models import Models, OneModel
from api.resources.page import Docs, ListeningPage, Specification, StaticFile
from api.resources.predict import Predict
from api.security_headers import SECURITY_HEADERS
from api.settings import Settings
from api.specification.document import specification
from api.spool import Spooler
from api.tracing import make_tracing
from inference.errors import UnknownModel
from inference.noise import NoiseLibrary
from inference.store import DEFAULT_LABEL, Model, ModelStore

MIX_SAMPLES_A_SECOND = 2 * 48_000  # /mix-noise holds a recording in memory, which its seconds alone would not bound


class HushApi(Api):  # type: ignore[misc]
    """Flask-RESTful with the application's own error handling, and with the Accept header taken seriously.

    Left to itself it answers errors raised in resources in a form of its own, without asking the application's
    handlers, and ignores an Accept header that admits no JSON.
    """

    def error_router(self, original_handler: Any, error: Exception) -> Any:
        """Every error goes to the handler of the application."""
        return original_handler(error)

    def make_response(self, data: Any, *args: Any, **kwargs: Any) -> Response:
        """`data` as JSON; raises `NotAcceptable`."""
        acceptable(request.accept_mimetypes, ("application/json",))
        return super().make_response(data, *args, **kwargs)  # type: ignore[no-any-return]


def make_admission(settings: Settings) -> Admission:
    """Who may compute, by the settings. Make it before the fork."""
    return Admission(
        slots=settings.slots,
        queue_length=settings.queue_length,
        timeout=settings.queue_timeout_s,
        long_requests=settings.long_requests,
    )


def create_app(
    settings: Settings,
    models: ModelStore,
    noises: NoiseLibrary,
    metrics: Metrics | None = None,
    admission: Admission | None = None,
) -> Flask:
    """The application over loaded models. Call it before the fork: slots and metrics are shared by who inherits it.

    Raises `StoreError` where the reference of a model is unusable, `SettingsError` where settings do not fit together.
    """
    metrics = metrics or Metrics()
    app = Flask("hush", static_folder=None)
    spooler = Spooler(settings.spool_bytes, settings.spool_dir)
    app.request_class = type("Request", (HushRequest,), {"spooler": spooler})
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions["admission"] = admission or make_admission(settings)
    app.extensions["readiness"] = _readiness(settings, models)
    app.extensions["metrics"] = metrics
    app.extensions["crew"] = Crew(metrics)
    app.extensions["holes"] = Holes()
    _add_routes(app, settings, models, noises, spooler)
    app.register_error_handler(Exception, answer)
    tracing = make_tracing(settings.otlp_endpoint, read_version(settings.version_file))
    app.extensions["tracing"] = tracing
    bookkeeping = Bookkeeping(metrics, log_requests=settings.access_log, tracing=tracing)
    app.before_request(bookkeeping.begin)
    app.after_request(bookkeeping.end)
    _add_access(app, settings)
    app.after_request(_finish)
    if not (settings.api_keys_file or settings.cache_bytes or tracing):  # these would have to be asked first
        app.wsgi_app = Doorkeeper(  # type: ignore[method-assign]
            app.wsgi_app, app.extensions["admission"], bookkeeping, settings.max_body_bytes
        )
    if settings.trusted_proxies:
        trusted = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=trusted, x_proto=trusted)  # type: ignore[method-assign]
    return app


def _add_access(app: Flask, settings: Settings) -> None:
    if settings.api_keys_file is not None:
        app.extensions["keys"] = KeyRing(settings.api_keys_file)
        demand_keys(app, app.extensions["keys"])
    if settings.cors_origins:
        allow_origins(app, settings.cors_origins)


def _readiness(settings: Settings, models: ModelStore) -> Readiness:
    def model() -> Model:
        try:
            return models.resolve(DEFAULT_LABEL)
        except UnknownModel:  # a store need not name a default; any network shows whether inference works
            return next(iter(models.models.values()))

    return Readiness(model, max_age=settings.ready_max_age_s, drain_file=settings.drain_file)


def _counting(metrics: Metrics) -> Callable[[str], None]:
    return lambda outcome: metrics.count("hush_cache_total", (outcome,))


def _add_routes(app: Flask, settings: Settings, models: ModelStore, noises: NoiseLibrary, spooler: Spooler) -> None:
    admission: Admission = app.extensions["admission"]
    readiness: Readiness = app.extensions["readiness"]
    limits = Limits(settings.max_seconds, settings.max_channels, settings.long_seconds)
    mix_limits = Limits(
        settings.mix_max_seconds, settings.max_channels, max_samples=settings.mix_max_seconds * MIX_SAMPLES_A_SECOND
    )
    assets = load_assets()
    version = read_version(settings.version_file)
    cache = make_cache(settings, version, _counting(app.extensions["metrics"]))
    choice = ModelChoice(models, settings.canary)
    gauges = app.extensions["gauges"] = Gauges(admission, models, load_references(settings.models_dir, models), version)
    office = open_office(settings, models)
    jobs_path = None if office is None else "/jobs"
    routes: tuple[tuple[type, str, tuple[Any, ...]], ...] = (
        (
            Predict,
            "/predict",
            (choice, admission, limits, readiness, spooler, cache, jobs_path, settings.quality_share),
        ),
        (MixNoise, "/mix-noise", (noises, admission, mix_limits, spooler)),
        (NoiseTypes, "/noise-types", (noises,)),
        (Models, "/models", (models,)),
        (OneModel, "/models/<name>", (models,)),
        (Jobs, "/jobs", (office, settings.jobs_max_body_bytes)),
        (OneJob, "/jobs/<name>", (office,)),
        (JobAudio, "/jobs/<name>/audio", (office,)),
        (Health, "/healthz", ()),
        (Ready, "/readyz", (readiness,)),
        (Version, "/version", (version,)),
        (MetricsPage, "/metrics", (app.extensions["metrics"], gauges, JobFigures(office))),
        (
            Specification,
            "/openapi.json",
            (held_json(specification(noises.types, with_keys=settings.api_keys_file is not None)),),
        ),
        (Docs, "/docs", (assets.pages["docs"],)),
        (ListeningPage, "/", (assets.pages["listen"],)),
        (StaticFile, "/static/<version>/<name>", (assets,)),
    )
    api = HushApi(app)
    for resource, path, pieces in routes:
        api.add_resource(resource, path, resource_class_args=pieces)


def _finish(answer: Response) -> Response:
    answer.headers["X-Request-Id"] = request_id()
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer
