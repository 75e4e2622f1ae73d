"""The queue of jobs: huey over SQLite or Redis. A message names a job; what that is worth is decided by its record."""

import json
from collections.abc import Callable
from typing import Any

from huey.api import Huey
from huey.registry import Message
from huey.serializer import Serializer


class PlainSerializer(Serializer):  # type: ignore[misc]
    """Messages as JSON. huey's own are pickled: whoever can write to Redis could run code in the consumers."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data._asdict()).encode()

    def _deserialize(self, data: bytes) -> Message:
        return Message(**json.loads(bytes(data)))


class JobQueue:
    """`huey` with its one task; `work` is what a consumer does with a job's id."""

    def __init__(self, huey: Huey, work: Callable[[str], None] | None = None) -> None:
        self.huey = huey

        def enhance_job(name: str) -> None:
            assert work is not None
            work(name)

        self._task: Any = huey.task(name="enhance_job")(enhance_job)

    def put(self, name: str) -> None:
        """Asks a consumer to look at the job."""
        self._task(name)

    def is_empty(self) -> bool:
        """Whether nobody is asked for anything."""
        return bool(self.huey.pending_count() == 0)
