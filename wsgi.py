"""Composition root: settings, models, noises, application. gunicorn imports `app` in the master, before the fork."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import cast

import torch
from flask import Flask

from api.admission import Admission
from api.app import create_app, make_admission
from api.canary import check_canary
from api.environment import SettingsError
from api.gauges import Gauges
from api.keys import KeyRing
from api.log import configure, logger
from api.metrics import Metrics
from api.references import load_references
from api.rehearsal import rehearse
from api.settings import Settings
from api.tracing import Tracing
from inference.errors import StoreError
from inference.kernels import compile_kernels
from inference.networks import Network
from inference.noise import NoiseLibrary
from inference.store import DEFAULT_LABEL, Model, ModelStore, load_store

log = logger("hush")
APP_LOAD_ERROR = 4  # exit status of a worker that gunicorn takes as a reason to stop, not to try again


def build() -> Flask:
    """The application for the environment; a problem with it ends the start with one sentence on stderr."""
    try:
        settings = Settings.from_environment(os.environ)
        configure(settings.log_level)
        torch.set_num_threads(1)  # before anything is computed: threads made before the fork would hang the workers
        admission = make_admission(settings)
        models = load_models(settings, admission)
        metrics = Metrics(_metrics_folder())
        noises = NoiseLibrary(settings.noise_dir)
        app = create_app(settings, models, noises, metrics, admission)
    except (SettingsError, StoreError) as error:
        sys.exit(f"hush: {error}")
    tracing = app.extensions["tracing"]
    app.extensions["rehearse"] = partial(rehearse_serving, models, settings, noises)
    app.extensions["start_worker"] = partial(start_worker, models, settings.device, app.extensions.get("keys"), tracing)
    app.extensions["stop_worker"] = partial(stop_worker, tracing)
    app.extensions["reload_models"] = partial(reload_models, models, app.extensions["gauges"], settings, admission)
    return app


def load_models(settings: Settings, admission: Admission) -> ModelStore:
    """The models folder as it is now, warmed up; raises `StoreError`, and RuntimeError for an unusable answer."""
    allowed = partial(admission.passes, settings.cores)
    models = load_store(settings.models_dir, precision=settings.precision).in_batches(allowed, settings.batch)
    models.warm_up()
    return models


def reload_models(models: ModelStore, gauges: Gauges, settings: Settings, admission: Admission) -> None:
    """What the master does when it is told to reload: the models folder as it is now, or all as it was.

    The workers forked afterwards share what is loaded here; those of before keep theirs until their last answer.
    """
    try:
        fresh = load_models(settings, admission)
        check_canary(settings.canary, fresh)
        references = load_references(settings.models_dir, fresh)
    except (StoreError, RuntimeError) as error:
        log.error("the models stay as they were", reason=str(error))
        return
    models.take_over(fresh)
    gauges.take_over(references)
    log.info("models loaded again", models=[described(model) for model in fresh.models.values()])


def rehearse_serving(models: ModelStore, settings: Settings, noises: NoiseLibrary) -> None:
    """What the master does before it forks, so that workers share it: kernels of the default network, a few requests.

    Networks that will be moved to another device are left alone.
    """
    if settings.device != "cpu":
        return
    for model in models.models.values():
        if DEFAULT_LABEL in model.info.labels:
            compile_kernels(cast(Network, model.network), settings.batch)
    rehearse(settings, models, noises)


def described(model: Model) -> str:
    """A model in a line of the log."""
    labels = f" ({', '.join(model.info.labels)})" if model.info.labels else ""
    return f"{model.info.key} {model.info.version}{labels}"


def start_worker(models: ModelStore, device: str, keys: KeyRing | None, tracing: Tracing | None) -> None:
    """What a worker has to do before its first request; gunicorn_conf.py calls it after the fork.

    The keys are read again, so that a reload of the service (SIGHUP) brings new ones in and takes old ones away.
    """
    if keys is not None:
        keys.reload()
    if tracing is not None:
        tracing.start()
    if device == "cpu":
        return
    try:
        models.to(device)
        models.warm_up()
    except StoreError as error:
        print(f"hush: {error}", file=sys.stderr)
        sys.exit(APP_LOAD_ERROR)


def stop_worker(tracing: Tracing | None) -> None:
    """What a worker has to do after its last request; gunicorn_conf.py calls it."""
    if tracing is not None:
        tracing.stop()


def _metrics_folder() -> Path | None:
    """Where the processes count, as gunicorn_conf.py named it for this one; None where nobody forks.

    A program that a worker starts inherits the variable; it must not make the folder anew.
    """
    folder = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""))
    return folder if f"-{os.getpid()}-" in folder.name else None


app = build()
