"""Where uploads and answers are kept: memory while they are small, a file without a name when they grow."""

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile


class Spool(SpooledTemporaryFile[bytes]):
    """A temporary file that has a descriptor only once it is on disk.

    The base class moves to disk when asked for its descriptor. gunicorn asks, to send files without copying them; for
    a small answer in memory that would write a file for nothing.
    """

    def fileno(self) -> int:
        """The descriptor; raises UnsupportedOperation in memory, as BytesIO does."""
        if not self._rolled:  # type: ignore[attr-defined]
            raise io.UnsupportedOperation("in memory")
        return super().fileno()

    def close(self) -> None:
        """Gives the file back, also when a full disk does not take what was still buffered for it."""
        with suppress(OSError):
            super().close()

    def size(self) -> int:
        """Bytes written; leaves the position at the start."""
        end = self.seek(0, io.SEEK_END)
        self.seek(0)
        return end


@dataclass(frozen=True)
class Spooler:
    """Makes spools that move to `folder` (None: the system's choice) past `memory_bytes`."""

    memory_bytes: int
    folder: Path | None

    def __call__(self) -> Spool:
        """An empty spool."""
        # A limit of 0 would mean none.
        return Spool(
            max_size=max(1, self.memory_bytes), mode="w+b", dir=None if self.folder is None else str(self.folder)
        )
