"""Composition root: settings, models, noises, application. gunicorn imports `app` in the master, before the fork."""

import logging
import os
import sys
from functools import partial

import torch
from flask import Flask

from api.app import create_app
from api.keys import KeyRing
from api.settings import Settings, SettingsError
from inference.errors import StoreError
from inference.noise import NoiseLibrary
from inference.store import ModelStore, load_store

APP_LOAD_ERROR = 4  # exit status of a worker that gunicorn takes as a reason to stop, not to try again


def build() -> Flask:
    """The application for the environment; a problem with it ends the start with one sentence on stderr."""
    try:
        settings = Settings.from_environment(os.environ)
        _configure_log(settings.log_level)
        torch.set_num_threads(1)  # before anything is computed: threads made before the fork would hang the workers
        models = load_store(settings.models_dir, precision=settings.precision)
        models.warm_up()
        app = create_app(settings, models, NoiseLibrary(settings.noise_dir))
    except (SettingsError, StoreError) as error:
        sys.exit(f"hush: {error}")
    app.extensions["start_worker"] = partial(start_worker, models, settings.device, app.extensions.get("keys"))
    return app


def start_worker(models: ModelStore, device: str, keys: KeyRing | None) -> None:
    """What a worker has to do before its first request; gunicorn_conf.py calls it after the fork.

    The keys are read again, so that a reload of the service (SIGHUP) brings new ones in and takes old ones away.
    """
    if keys is not None:
        keys.reload()
    if device == "cpu":
        return
    try:
        models.to(device)
        models.warm_up()
    except StoreError as error:
        print(f"hush: {error}", file=sys.stderr)
        sys.exit(APP_LOAD_ERROR)


def _configure_log(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("hush")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


app = build()
