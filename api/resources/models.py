"""`GET /models`, `GET /models/KEY`: what can be asked for, and what is known about it."""

from typing import Any

from flask_restful import Resource

from inference.store import Model, ModelStore


class Models(Resource):  # type: ignore[misc]
    """All models."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    def get(self) -> dict[str, Any]:
        """200."""
        return {"available_models": [described(model) for model in self._models.models.values()]}


class OneModel(Resource):  # type: ignore[misc]
    """One model."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    def get(self, name: str) -> dict[str, Any]:
        """200 for a key or a label, 404 otherwise."""
        return described(self._models.resolve(name))


def described(model: Model) -> dict[str, Any]:
    """What a client may know of a model."""
    info = model.info
    return {
        "key": info.key,
        "name": info.name,
        "architecture": info.architecture,
        "sampling_rate": info.sampling_rate,
        "parameters": model.parameters,
        "version": info.version,
        "sha256": info.sha256,
        "labels": list(info.labels),
        "training": info.training,
        "quality": info.quality,
    }
