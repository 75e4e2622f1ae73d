"""hyperparams.json as something that is changed: by one process at a time, and by replacing the file as a whole.

Whoever reads it meanwhile, a server at its start above all, sees the old file or the new one. A machine that stops in
the middle keeps one of the two: the new content is on the disk before it gets the name (rename(2), fsync(2)).
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference.errors import StoreError
from inference.store import DEFAULT_LABEL, INDEX, read_entries

PREVIOUS_LABEL = "previous"  # the model that had the label `production` before

Entries = dict[str, Any]


@contextmanager
def editing(folder: Path) -> Iterator[Entries]:
    """The entries of `folder`, to be changed in place; written when the block ends without an error.

    Others who edit wait. Raises `StoreError` where the index cannot be read or the folder cannot be written.
    """
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StoreError(f"cannot open {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = read_entries(folder)
        before = json.dumps(entries)
        yield entries
        if json.dumps(entries) != before:
            replace(folder / INDEX, (json.dumps(entries, indent=2) + "\n").encode())
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}") from error
    finally:
        os.close(lock)


def replace(path: Path, content: bytes) -> None:
    """Gives `path` a new content at once and for good; an existing file keeps its permissions. Raises OSError."""
    partial = path.with_name(f".{path.name}.partial")
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    try:
        with partial.open("wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    settle(path.parent)


def settle(folder: Path) -> None:
    """Returns once the names in `folder` are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def holder(entries: Entries, label: str) -> str | None:
    """Key of the model with that label."""
    return next((key for key, entry in entries.items() if label in entry.get("labels", ())), None)


def promote(entries: Entries, key: str) -> str | None:
    """Moves `production` to `key` and `previous` to the model that had it, whose key is returned.

    None, and nothing changed, where `key` has it already. Raises `StoreError` for a key that is not there.
    """
    if key not in entries:
        raise StoreError(f"there is no model {key!r}; known are {', '.join(entries)}")
    old = holder(entries, DEFAULT_LABEL)
    if old == key:
        return None
    _move(entries, DEFAULT_LABEL, key)
    _move(entries, PREVIOUS_LABEL, old)
    return old


def promote_back(entries: Entries) -> tuple[str, str | None]:
    """Moves `production` to the model labelled `previous`; the keys of that one and of the one that had it.

    Doing it twice changes nothing. Raises `StoreError` where no model is labelled so.
    """
    key = holder(entries, PREVIOUS_LABEL)
    if key is None:
        raise StoreError(f"no model has the label {PREVIOUS_LABEL!r}: nothing was promoted before")
    return key, promote(entries, key)


def _move(entries: Entries, label: str, key: str | None) -> None:
    for name, entry in entries.items():
        others = [item for item in entry.get("labels", ()) if item != label]
        entry["labels"] = [*others, label] if name == key else others
