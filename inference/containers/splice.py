"""A seekable view of a file with another beginning, so that a header can be corrected without copying the recording."""

import os
from typing import Protocol


class Readable(Protocol):
    """What the examination and the decoder need of a file: any binary file object opened for reading has it."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Moves to `offset`, counted from what `whence` says."""
        ...

    def tell(self) -> int:
        """The position."""
        ...


class Splice:
    """The bytes `head`, followed by those of `file` from byte `start` on; itself a Readable."""

    def __init__(self, head: bytes, file: Readable, start: int) -> None:
        self._head = head
        self._file = file
        self._start = start
        self._position = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none only at the end."""
        if self._position < len(self._head):
            data = self._head[self._position : self._position + size]
        else:
            self._file.seek(self._start + self._position - len(self._head))
            data = self._file.read(size)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of any file; the new position, never before the beginning."""
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            self._file.seek(0, os.SEEK_END)
            offset += len(self._head) + max(0, self._file.tell() - self._start)
        self._position = max(0, offset)
        return self._position

    def tell(self) -> int:
        """The position in the view."""
        return self._position
