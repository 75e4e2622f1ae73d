"""Composition root: settings, models, noises, application. gunicorn imports `app` in the master, before the fork."""

import os
import sys
from functools import partial
from pathlib import Path

import torch
from flask import Flask

from api.app import create_app
from api.log import configure
from api.metrics import Metrics
from api.settings import Settings, SettingsError
from inference.errors import StoreError
from inference.noise import NoiseLibrary
from inference.store import ModelStore, load_store

APP_LOAD_ERROR = 4  # exit status of a worker that gunicorn takes as a reason to stop, not to try again


def build() -> Flask:
    """The application for the environment; a problem with it ends the start with one sentence on stderr."""
    try:
        settings = Settings.from_environment(os.environ)
        configure(settings.log_level)
        torch.set_num_threads(1)  # before anything is computed: threads made before the fork would hang the workers
        models = load_store(settings.models_dir, precision=settings.precision)
        models.warm_up()
        app = create_app(settings, models, NoiseLibrary(settings.noise_dir), Metrics(_metrics_folder()))
    except (SettingsError, StoreError) as error:
        sys.exit(f"hush: {error}")
    app.extensions["start_worker"] = partial(start_worker, models, settings.device)
    return app


def start_worker(models: ModelStore, device: str) -> None:
    """What a worker has to do before its first request; gunicorn_conf.py calls it after the fork."""
    if device == "cpu":
        return
    try:
        models.to(device)
        models.warm_up()
    except StoreError as error:
        print(f"hush: {error}", file=sys.stderr)
        sys.exit(APP_LOAD_ERROR)


def _metrics_folder() -> Path | None:
    """Where the processes count, as gunicorn_conf.py named it for this one; None where nobody forks.

    A program that a worker starts inherits the variable; it must not make the folder anew.
    """
    folder = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""))
    return folder if f"-{os.getpid()}-" in folder.name else None


app = build()
