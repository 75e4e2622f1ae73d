"""The files of a model package: what `python -m training.export --models FOLDER` leaves, and a model card.

    hyperparams.json            one entry
    KEY.safetensors             its weights
    KEY.example.safetensors     an input, and what the network made of it
    KEY.md                      the model card
    KEY.reference.json          what drift is measured against, where there is one

A package is a folder or a tar file, and may come from anywhere: names, kinds and sizes are checked before anything is
read. What the files hold is the business of intake.py.
"""

import os
import re
import tarfile
from pathlib import Path

from inference.errors import StoreError

MOST_FILES = 5
LARGEST_TEXT = 2**20  # bytes
LARGEST_TENSORS = 2**28

Files = dict[str, bytes]


def read(package: Path) -> Files:
    """The files of a package, by name; raises `StoreError`."""
    try:
        if package.is_dir():
            return _read_folder(package)
        return _read_tar(package)
    except tarfile.TarError as error:
        raise StoreError(f"{package} is neither a folder nor a plain tar file: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot read {package}: {error.strerror}") from error


def _read_folder(package: Path) -> Files:
    found: Files = {}
    with os.scandir(package) as items:
        for item in items:
            if not item.is_file(follow_symlinks=False):
                raise StoreError(f"{package}: {item.name!r} is not a plain file")
            _check_member(item.name, item.stat(follow_symlinks=False).st_size, found)
            descriptor = os.open(item.path, os.O_RDONLY | os.O_NOFOLLOW)
            with open(descriptor, "rb") as file:
                found[item.name] = file.read(LARGEST_TENSORS)
    return found


def _read_tar(package: Path) -> Files:
    # Not compressed: a few kilobytes could be gigabytes, and weights hardly shrink.
    largest = 2 * LARGEST_TENSORS + 4 * LARGEST_TEXT
    if package.stat().st_size > largest:
        raise StoreError(f"{package} has more than {largest} bytes")
    found: Files = {}
    with tarfile.open(package, "r:") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if member.isdir() and name in (".", ""):
                continue
            if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                raise StoreError(f"{package}: {member.name!r} is not a plain file")
            _check_member(name, member.size, found)
            content = archive.extractfile(member)
            assert content is not None
            found[name] = content.read()
            if len(found[name]) != member.size:
                raise StoreError(f"{package}: {name!r} ends early")
    return found


def _check_member(name: str, size: int, found: Files) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise StoreError(f"{name!r} is no name for a file of a package: no folders, no hidden files")
    if name in found or len(found) >= MOST_FILES:
        raise StoreError(f"a package has {MOST_FILES} files at most, each once; {name!r} is one too many")
    limit = LARGEST_TENSORS if name.endswith(".safetensors") else LARGEST_TEXT
    if size > limit:
        raise StoreError(f"{name!r} has {size} bytes, allowed are {limit}")
