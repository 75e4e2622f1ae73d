"""Uploads and results. A name is the job's id with an ending; this one keeps them in a folder, bucket.py in S3."""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Protocol, Self

COPY_BYTES = 1 << 20
SEND_BYTES = 64 * 1024
STRAY_SECONDS = 86400.0  # a file without a job is that old before it is removed: its job may be about to come

Beat = Callable[[], None]


def no_beat() -> None:
    """For copies that nobody has to know the progress of."""


class Storage(Protocol):
    """`beat` is called between pieces of long copies; what it raises ends the copy and leaves nothing."""

    def put(self, name: str, file: BinaryIO, beat: Beat = no_beat) -> int:
        """Keeps what is in `file` from its beginning; how many bytes that are."""

    def open(self, name: str, beat: Beat = no_beat) -> AbstractContextManager[BinaryIO]:
        """The file, seekable."""

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, in pieces. Raises FileNotFoundError before the first."""

    def size(self, name: str) -> int:
        """Bytes of the file; raises FileNotFoundError."""

    def delete(self, name: str) -> None:
        """Removes everything whose name begins so: the id of a job, or the name of one of its files."""

    def remove_strays(self, known: Iterable[str]) -> None:
        """Removes old files that belong to none of the jobs `known`."""


class Folder:
    """`Storage` in a folder of this machine, or one that all machines share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, name: str, file: BinaryIO, beat: Beat = no_beat) -> int:
        """See `Storage`. Whoever looks sees the whole file or none."""
        file.seek(0)
        with NamedTemporaryFile(dir=self._folder, prefix=f"{name}.", suffix=".part", delete=False) as part:
            try:
                while piece := file.read(COPY_BYTES):
                    part.write(piece)
                    beat()
                size = part.tell()
                part.close()
                Path(part.name).replace(self._folder / name)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
        return size

    @contextmanager
    def open(self, name: str, beat: Beat = no_beat) -> Iterator[BinaryIO]:
        """See `Storage`."""
        with (self._folder / name).open("rb") as file:
            yield file

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Storage`. The file is opened now: it may be removed while it is being sent."""
        file = (self._folder / name).open("rb")
        file.seek(start)
        return _Pieces(file, stop - start)

    def size(self, name: str) -> int:
        """See `Storage`."""
        return (self._folder / name).stat().st_size

    def delete(self, name: str) -> None:
        """See `Storage`."""
        for path in self._folder.glob(f"{name}*"):
            path.unlink(missing_ok=True)

    def remove_strays(self, known: Iterable[str]) -> None:
        """See `Storage`."""
        jobs = set(known)
        with os.scandir(self._folder) as entries:
            for entry in entries:
                found = re.match(r"([0-9a-f]{32})\.", entry.name)
                if found and found[1] not in jobs and entry.stat().st_mtime < time.time() - STRAY_SECONDS:
                    Path(entry.path).unlink(missing_ok=True)


class _Pieces:
    """The next `count` bytes of an open file, which is closed at their end, or before by the server (`close`)."""

    def __init__(self, file: BinaryIO, count: int) -> None:
        self._file = file
        self._left = count

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        piece = self._file.read(min(self._left, SEND_BYTES)) if self._left else b""
        if not piece:
            self.close()
            raise StopIteration
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._file.close()
