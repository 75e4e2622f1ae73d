"""Which model answers: the one that is named, the label `production`, or, for a share of the requests, the canary.

`HUSH_CANARY=KEY:SHARE%` sends that share of the requests that name no model to KEY. Which ones is decided by a hash of
the request id, so a request that is tried again under its id meets the same model, on any instance. `X-Model` says
which model it was.
"""

import hashlib
import re
from dataclasses import dataclass

from api.allowed import Parser
from inference.errors import StoreError, UnknownModel
from inference.store import DEFAULT_LABEL, Model, ModelStore

PATTERN = re.compile(r"([A-Za-z0-9._-]+):([0-9]+(?:\.[0-9]+)?)%")


@dataclass(frozen=True)
class Canary:
    """A model, by key or label, and its share of the requests, above 0 and up to 1."""

    name: str
    share: float

    def takes(self, request_id: str) -> bool:
        """Whether the request with this id is one of the share."""
        digest = hashlib.sha256(request_id.encode()).digest()
        return int.from_bytes(digest[:8], "big") < self.share * 2**64


def canary() -> tuple[Parser, str]:
    """Parser of the setting, and the words for what it takes."""

    def parse(text: str) -> Canary:
        match = PATTERN.fullmatch(text)
        if match is None or not 0 < float(match[2]) <= 100:
            raise ValueError
        return Canary(match[1], float(match[2]) / 100)

    return parse, "KEY:SHARE%, above 0 and up to 100 %"


def check_canary(canary: Canary | None, models: ModelStore) -> None:
    """Raises `StoreError` where the canary is none of the models."""
    if canary is None:
        return
    try:
        models.resolve(canary.name)
    except UnknownModel as error:
        raise StoreError(f"HUSH_CANARY: {error}") from error


class ModelChoice:
    """Finds the model of a request."""

    def __init__(self, models: ModelStore, canary: Canary | None) -> None:
        check_canary(canary, models)
        self._models = models
        self._canary = canary

    def __call__(self, name: str | None, request_id: str) -> Model:
        """The model `name` (key or label), or the one for those who name none; raises `UnknownModel`."""
        if name is None and self._canary is not None and self._canary.takes(request_id):
            name = self._canary.name
        return self._models.resolve(name or DEFAULT_LABEL)
