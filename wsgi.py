"""Composition root: settings, models, noises, application. gunicorn imports `app` in the master, before the fork."""

import logging
import os
import sys

import torch
from flask import Flask

from api.app import create_app
from api.settings import Settings, SettingsError
from inference.errors import StoreError
from inference.noise import NoiseLibrary
from inference.store import load_store


def build() -> Flask:
    """The application for the environment; a problem with it ends the start with one sentence on stderr."""
    try:
        settings = Settings.from_environment(os.environ)
        _configure_log(settings.log_level)
        torch.set_num_threads(1)  # before anything is computed: threads made before the fork would hang the workers
        models = load_store(settings.models_dir, precision=settings.precision)
        models.warm_up()
        return create_app(settings, models, NoiseLibrary(settings.noise_dir))
    except (SettingsError, StoreError) as error:
        sys.exit(f"hush: {error}")


def _configure_log(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("hush")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


app = build()
