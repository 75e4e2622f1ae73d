"""Uploads and results in S3, so that any instance of a fleet can work on a job and answer for it.

Credentials, region and (for tests) the endpoint come from where boto3 looks for them: the instance's role, or `AWS_*`.
The bucket's own lifecycle rule removes what a crash has left there without a job.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from api.jobs.storage import SEND_BYTES, Beat, no_beat

PREFIX = "jobs/"
CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3, "mode": "standard"})
TRANSFER = TransferConfig(use_threads=False)  # one connection does, and `beat` is called where the work is done


class Bucket:
    """`Storage` in the bucket `name` of `region`; `scratch` is where a recording is kept while it is worked on."""

    def __init__(self, name: str, region: str | None, scratch: Path | None) -> None:
        self._name = name
        self._region = region
        self._scratch = scratch

    @cached_property
    def _client(self) -> Any:
        """Made at first use, which is after the fork."""
        return boto3.session.Session(region_name=self._region).client("s3", config=CONFIG)

    def put(self, name: str, file: BinaryIO, beat: Beat = no_beat) -> int:
        """See `Storage`."""
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        given = _Unclosed(file)  # the client closes what it is given
        self._client.upload_fileobj(given, self._name, PREFIX + name, Callback=lambda _: beat(), Config=TRANSFER)
        return size

    @contextmanager
    def open(self, name: str, beat: Beat = no_beat) -> Iterator[BinaryIO]:
        """See `Storage`."""
        with TemporaryFile(dir=self._scratch) as file:
            self._client.download_fileobj(self._name, PREFIX + name, file, Callback=lambda _: beat(), Config=TRANSFER)
            file.seek(0)
            yield cast(BinaryIO, file)

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """See `Storage`."""
        wanted = {"Range": f"bytes={start}-{stop - 1}"} if stop > start else {}
        with _found():
            body = self._client.get_object(Bucket=self._name, Key=PREFIX + name, **wanted)["Body"]
        return cast(Iterator[bytes], body.iter_chunks(SEND_BYTES))

    def size(self, name: str) -> int:
        """See `Storage`."""
        with _found():
            return int(self._client.head_object(Bucket=self._name, Key=PREFIX + name)["ContentLength"])

    def delete(self, name: str) -> None:
        """See `Storage`."""
        listed = self._client.list_objects_v2(Bucket=self._name, Prefix=PREFIX + name)
        for item in listed.get("Contents", ()):
            self._client.delete_object(Bucket=self._name, Key=item["Key"])

    def remove_strays(self, known: Iterable[str]) -> None:
        """Nothing: the bucket's lifecycle rule does."""


class _Unclosed(io.BufferedIOBase):
    """A file that stays open when its reader closes it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def _found() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            raise FileNotFoundError from error
        raise
