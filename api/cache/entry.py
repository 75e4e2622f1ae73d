"""One kept answer: `HEADER_BYTES` of JSON, padded with spaces, then the body as it was sent.

The header has the SHA-256 of the body, which is compared whenever an entry is read: half-written or damaged entries
are misses, never answers. The same hash is the answer's ETag.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from typing import BinaryIO, Protocol

from api.cache.key import READ_BYTES

HEADER_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What has to be said again with the body."""

    media_type: str
    file_name: str
    clipped_samples: int | None  # None: not known when the answer was streamed


@dataclass(frozen=True)
class Found:
    """An entry that is whole: `file` stands at the body, which has `size` bytes and the hash `digest`."""

    facts: Facts
    digest: str
    size: int
    file: BinaryIO


class Writer(Protocol):
    """Takes a body in pieces. Never raises: an entry that cannot be kept is dropped, and said so in the log."""

    digest: str  # SHA-256 of what was written, once it is kept

    def write(self, data: bytes) -> None:
        """The next piece."""

    def keep(self, facts: Facts) -> None:
        """The body is complete."""

    def drop(self) -> None:
        """The body will not be completed; also possible after `keep`, without effect."""


class Store(Protocol):
    """Where entries are. Never raises: what cannot be read is not there."""

    def find(self, key: str) -> Found | None:
        """The entry, whole and not too old."""

    def writer(self, key: str) -> Writer:
        """A new entry, which takes the place of an older one once it is kept."""


def header(facts: Facts, digest: str, size: int) -> bytes:
    """The first `HEADER_BYTES` of an entry made now."""
    content = json.dumps({**asdict(facts), "digest": digest, "size": size, "made": time.time()}).encode()
    if len(content) > HEADER_BYTES:
        raise ValueError(f"the header of an entry has {len(content)} bytes")
    return content.ljust(HEADER_BYTES)


def opened(file: BinaryIO, seconds: float) -> Found | None:
    """The entry in `file`; None where it is damaged or was made more than `seconds` ago."""
    try:
        said = json.loads(file.read(HEADER_BYTES))
        size, digest, made = said.pop("size"), said.pop("digest"), said.pop("made")
        facts = Facts(**said)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if not 0 <= time.time() - made <= seconds or not _is_whole(file, size, digest):
        return None
    file.seek(HEADER_BYTES)
    return Found(facts, digest, size, file)


def _is_whole(file: BinaryIO, size: int, digest: str) -> bool:
    found = hashlib.sha256()
    count = 0
    while data := file.read(READ_BYTES):
        found.update(data)
        count += len(data)
    return count == size and found.hexdigest() == digest
