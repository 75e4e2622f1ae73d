"""Entries as files: KEY.entry, written under another name and renamed when complete.

The sum of their sizes is kept in the file `.ledger`, under whose lock (flock) entries come and go; only when there is
no room the folder is looked through, and the entries used longest ago are removed until a tenth is free. A process that
is killed leaves at worst a partial file, which is removed later, and a sum that the next look puts right.
"""

import fcntl
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from api.cache.entry import HEADER_BYTES, Facts, Found, header, opened

log = logging.getLogger("hush")

ENTRY, PARTIAL, LEDGER = ".entry", ".partial", ".ledger"
FREED = 0.1  # of the bound, when something has to go: the next ones then need no look
ABANDONED_SECONDS = 7200  # a partial file that nobody has written to for so long
LARGEST_SHARE = 4  # an entry may have a quarter of the bound


class FolderStore:
    """At most `most_bytes` of entries in `folder`, none answered more than `seconds` after it was made."""

    def __init__(self, folder: Path, *, most_bytes: int, seconds: float) -> None:
        self.folder = folder
        self.largest = most_bytes // LARGEST_SHARE
        self._most_bytes = most_bytes
        self._seconds = seconds
        with self._ledger() as ledger:
            self._write(ledger, self._make_room(0))

    def find(self, key: str) -> Found | None:
        """See `Store`."""
        path = self._path(key)
        try:
            file = path.open("rb")
        except OSError:
            return None
        try:
            found = opened(file, self._seconds)
            if found is not None:
                os.utime(path)  # used now; may have been removed meanwhile, which the open file survives
                return found
        except OSError as error:
            log.warning("cache: %s cannot be read: %s", path, error)
        file.close()
        return None

    def writer(self, key: str) -> "FolderWriter":
        """See `Store`."""
        return FolderWriter(self, key)

    def partial(self) -> tuple[int, Path]:
        """A new file, readable by this user only, and its descriptor."""
        descriptor, name = tempfile.mkstemp(PARTIAL, ".", self.folder)
        return descriptor, Path(name)

    def admit(self, key: str, partial: Path) -> None:
        """Gives the complete entry its name, after making room for it."""
        path, size = self._path(key), partial.stat().st_size
        with self._ledger() as ledger:
            total = self._read(ledger) - _remove(path)
            if total + size > self._most_bytes:
                total = self._make_room(size)
            partial.replace(path)
            self._write(ledger, total + size)

    def _make_room(self, size: int) -> int:
        """Removes what is too old, and so much more that `size` bytes fit; the sum of what is left."""
        entries = []
        for item in os.scandir(self.folder):
            with suppress(FileNotFoundError):
                if item.name.endswith(ENTRY):
                    entries.append((item.stat().st_mtime_ns, item.stat().st_size, Path(item.path)))
                elif item.name.endswith(PARTIAL) and time.time() - item.stat().st_mtime > ABANDONED_SECONDS:
                    Path(item.path).unlink()
        total = sum(entry_size for _, entry_size, _ in entries)
        if total + size <= self._most_bytes:
            return total
        for _, _, path in sorted(entries):
            if total + size <= (1 - FREED) * self._most_bytes:
                break
            total -= _remove(path)
        return total

    def _path(self, key: str) -> Path:
        return self.folder / (key + ENTRY)

    @contextmanager
    def _ledger(self) -> Iterator[int]:
        descriptor = os.open(self.folder / LEDGER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _read(self, ledger: int) -> int:
        text = os.pread(ledger, 32, 0)
        return int(text) if text.strip().isdigit() else self._make_room(0)

    def _write(self, ledger: int, total: int) -> None:
        os.pwrite(ledger, str(max(0, total)).encode().ljust(32), 0)


class FolderWriter:
    """See `Writer`."""

    def __init__(self, store: FolderStore, key: str) -> None:
        self._store = store
        self._key = key
        self._digest = hashlib.sha256()
        self._size = 0
        self._descriptor: int | None = None
        self._path: Path | None = None
        self.digest = ""
        try:
            self._descriptor, self._path = store.partial()
            os.lseek(self._descriptor, HEADER_BYTES, os.SEEK_SET)
        except OSError as error:
            self._give_up(error)

    def write(self, data: bytes) -> None:
        """See `Writer`."""
        self._digest.update(data)
        self._size += len(data)
        if self._descriptor is None:
            return
        if self._size + HEADER_BYTES > self._store.largest:
            self.drop()
            return
        try:
            with memoryview(data) as rest:
                written = 0
                while written < len(rest):
                    written += os.write(self._descriptor, rest[written:])
        except OSError as error:
            self._give_up(error)

    def keep(self, facts: Facts) -> None:
        """See `Writer`."""
        self.digest = self._digest.hexdigest()
        if self._descriptor is None or self._path is None:
            return
        try:
            os.pwrite(self._descriptor, header(facts, self.digest, self._size), 0)
            self._store.admit(self._key, self._path)
        except (OSError, ValueError) as error:
            self._give_up(error)
        self.drop()

    def drop(self) -> None:
        """See `Writer`."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def _give_up(self, error: Exception) -> None:
        log.warning("cache: an answer cannot be kept in %s: %s", self._store.folder, error)
        self.drop()


def _remove(path: Path) -> int:
    """Removes a file and says how many bytes it had."""
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return size
