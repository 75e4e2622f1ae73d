"""The name of an answer: a hash of everything that it depends on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import BinaryIO

from inference.store import ModelInfo

READ_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What of a request shapes its answer, besides the recording."""

    format: str
    sample_rate: str
    attenuation_limit_db: float | None
    stream: bool  # a streamed answer has another header in its container


def content_digest(file: BinaryIO) -> str:
    """SHA-256 of a whole file, which is left at its start."""
    digest = hashlib.sha256()
    file.seek(0)
    while data := file.read(READ_BYTES):
        digest.update(data)
    file.seek(0)
    return digest.hexdigest()


def answer_key(build: str, model: ModelInfo, variant: Variant, credentials: Sequence[str], content: str) -> str:
    """The key of an answer, 64 hexadecimal digits.

    `build` stands for code and number format. `credentials` are what the request shows to be let in: who shows
    others (or none) never gets a hit from what this one has sent, so nobody can find out whether somebody else has sent
    a recording. They cannot be recovered from the key.
    """
    parts = [build, model.key, model.version, model.sha256, model.hyperparameters, asdict(variant)]
    text = json.dumps([*parts, list(credentials), content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
