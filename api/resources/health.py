"""`GET /healthz`, `/readyz`, `/version`: for whoever runs the service. None of them takes a slot."""

import json
from pathlib import Path
from typing import Any

from flask_restful import Resource

from api import __version__
from api.environment import SettingsError
from api.errors import NotReady
from api.readiness import Readiness


class Health(Resource):  # type: ignore[misc]
    """Whether the process is alive; it checks nothing else."""

    def get(self) -> dict[str, Any]:
        """200."""
        return {"status": "alive"}


class Ready(Resource):  # type: ignore[misc]
    """Whether this worker should get requests."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def get(self) -> dict[str, Any]:
        """200, or 503 with the reason."""
        obstacle = self._readiness.obstacle()
        if obstacle is not None:
            raise NotReady(obstacle)
        return {"status": "ready"}


class Version(Resource):  # type: ignore[misc]
    """Which build this is (Mozilla's Dockerflow): the file written at build time, read once."""

    def __init__(self, version: dict[str, Any]) -> None:
        self._version = version

    def get(self) -> dict[str, Any]:
        """200."""
        return self._version


def read_version(file: Path) -> dict[str, Any]:
    """The build's own description over the version of the package; raises SettingsError where it is no JSON object."""
    try:
        built = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise SettingsError([f"{file} is not JSON: {error}"]) from error
    if not isinstance(built, dict):
        raise SettingsError([f"{file} does not hold a JSON object"])
    return {"name": "hush", "version": __version__, "commit": None, **built}
