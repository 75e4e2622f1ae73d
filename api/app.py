"""The application: which endpoint answers which path, and what holds for all of them."""

from typing import Any

from flask import Flask, Response, request
from flask_restful import Api
from werkzeug.middleware.proxy_fix import ProxyFix

from api.admission import Admission
from api.assets import held_json, load_assets
from api.bookkeeping import Bookkeeping
from api.crew import Crew
from api.errors import answer, request_id
from api.gauges import Gauges
from api.metrics import Metrics
from api.readiness import Readiness
from api.recording import Limits
from api.references import load_references
from api.requests import HushRequest, acceptable
from api.resources.health import Health, Ready, Version, read_version
from api.resources.metrics import MetricsPage
from api.resources.mix_noise import MixNoise, NoiseTypes
from api.resources.models import Models, OneModel
from api.resources.page import Docs, ListeningPage, Specification, StaticFile
from api.resources.predict import Predict
from api.settings import Settings
from api.specification.document import specification
from api.spool import Spooler
from inference.errors import UnknownModel
from inference.noise import NoiseLibrary
from inference.store import DEFAULT_LABEL, ModelStore


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


def create_app(settings: Settings, models: ModelStore, noises: NoiseLibrary, metrics: Metrics | None = None) -> Flask:
    """The application over loaded models. Call it before the fork: slots and metrics are shared by who inherits it.

    Raises `StoreError` where the reference of a model is unusable.
    """
    metrics = metrics or Metrics()
    app = Flask("hush", static_folder=None)
    spooler = Spooler(settings.spool_bytes, settings.spool_dir)
    app.request_class = type("Request", (HushRequest,), {"spooler": spooler})
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions["admission"] = Admission(
        slots=settings.slots,
        queue_length=settings.queue_length,
        timeout=settings.queue_timeout_s,
        long_requests=settings.long_requests,
    )
    app.extensions["readiness"] = _readiness(settings, models)
    app.extensions["metrics"] = metrics
    app.extensions["crew"] = Crew(metrics)
    _add_routes(app, settings, models, noises, spooler)
    app.register_error_handler(Exception, answer)
    bookkeeping = Bookkeeping(metrics, log_requests=settings.access_log)
    app.before_request(bookkeeping.begin)
    app.after_request(bookkeeping.end)
    app.after_request(_finish)
    if settings.trusted_proxies:
        trusted = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=trusted, x_proto=trusted)  # type: ignore[method-assign]
    return app


def _readiness(settings: Settings, models: ModelStore) -> Readiness:
    try:
        model = models.resolve(DEFAULT_LABEL)
    except UnknownModel:  # a store need not name a default; any network shows whether inference works
        model = next(iter(models.models.values()))
    return Readiness(model, max_age=settings.ready_max_age_s, drain_file=settings.drain_file)


def _add_routes(app: Flask, settings: Settings, models: ModelStore, noises: NoiseLibrary, spooler: Spooler) -> None:
    admission: Admission = app.extensions["admission"]
    readiness: Readiness = app.extensions["readiness"]
    limits = Limits(settings.max_seconds, settings.max_channels, settings.long_seconds)
    mix_limits = Limits(settings.mix_max_seconds, settings.max_channels)
    assets = load_assets()
    version = read_version(settings.version_file)
    gauges = Gauges(admission, models, load_references(settings.models_dir, models), version)
    routes: tuple[tuple[type, str, tuple[Any, ...]], ...] = (
        (Predict, "/predict", (models, admission, limits, readiness, spooler, settings.quality_share)),
        (MixNoise, "/mix-noise", (noises, admission, mix_limits, spooler)),
        (NoiseTypes, "/noise-types", (noises,)),
        (Models, "/models", (models,)),
        (OneModel, "/models/<name>", (models,)),
        (Health, "/healthz", ()),
        (Ready, "/readyz", (readiness,)),
        (Version, "/version", (version,)),
        (MetricsPage, "/metrics", (app.extensions["metrics"], gauges)),
        (Specification, "/openapi.json", (held_json(specification(noises.types)),)),
        (Docs, "/docs", (assets.pages["docs"],)),
        (ListeningPage, "/", (assets.pages["listen"],)),
        (StaticFile, "/static/<version>/<name>", (assets,)),
    )
    api = HushApi(app)
    for resource, path, pieces in routes:
        api.add_resource(resource, path, resource_class_args=pieces)


def _finish(answer: Response) -> Response:
    answer.headers["X-Request-Id"] = request_id()
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
