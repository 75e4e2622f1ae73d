"""gunicorn_conf.py with workers that take a while from the fork to their own signal handlers."""

import time
from typing import Any

import gunicorn_conf
from gunicorn_conf import *  # noqa: F403 - gunicorn reads its settings from this module


def post_fork(server: Any, worker: Any) -> None:
    """As in gunicorn_conf.py, half a second late."""
    time.sleep(0.5)
    gunicorn_conf.post_fork(server, worker)
