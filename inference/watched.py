"""A file as the codec library sees it: its errors are kept, because the library cannot pass them on."""

import os
from typing import BinaryIO


class WatchedFile:
    """A seekable binary file object for callbacks from C, where an exception would be printed and forgotten.

    The first OSError is kept in `failure`, for whoever called the library to raise; from then on nothing is written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        """How much was written: nothing once something has failed."""
        if self.failure is None:
            try:
                return self._file.write(data)
            except OSError as error:
                self.failure = error
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position; it may have to write what was buffered."""
        if self.failure is None:
            try:
                return self._file.seek(offset, whence)
            except OSError as error:
                self.failure = error
        return 0

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def check(self) -> None:
        """Raises the OSError that has been kept, if any; call it after each use of the library."""
        if self.failure is not None:
            raise self.failure

    def finish(self) -> None:
        """Writes what is buffered; raises OSError, also the one that was kept."""
        self.check()
        self._file.flush()
