"""States of jobs in Redis: for a fleet, any instance of which may be asked.

hush:jobs:job:ID     the job as JSON
hush:jobs:key:HASH   the id that goes with an Idempotency-Key
hush:jobs:waiting    sorted set of the queued ids, by the time they came
hush:jobs:running    set of the ids that are worked on
hush:jobs:counts     hash of what is counted for the metrics (tally.py)
hush:jobs:bytes      hash of the bytes stored for each id; its fields are all jobs there are
"""

import hashlib
from collections.abc import Callable
from typing import Any

import redis

from api.jobs.job import Job, State, from_json, to_json
from api.jobs.records import Room, same_request
from api.jobs.tally import Figures, tally

WAITING = "hush:jobs:waiting"
RUNNING = "hush:jobs:running"
COUNTS = "hush:jobs:counts"
BYTES = "hush:jobs:bytes"


class RedisRecords:
    """`Records` behind the connections of `pool`, which may be carried over a fork."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._redis: Any = redis.Redis(connection_pool=pool)

    def add(self, job: Job, room: Room) -> Job:
        """See `Records`."""

        def put(pipe: Any) -> Job:
            known = self.get(_text(pipe.get(_key(job.key)))) if job.key else None
            if known is not None:
                pipe.multi()
                return same_request(known, job)
            waiting, stored = pipe.zcard(WAITING), sum(map(int, pipe.hvals(BYTES)))
            room.check(waiting, stored, job.bytes)
            pipe.multi()
            _write(pipe, job)
            if job.key:
                pipe.set(_key(job.key), job.id)
            return job

        return self._transaction(put, WAITING, BYTES, _key(job.key))

    def get(self, name: str) -> Job | None:
        """See `Records`."""
        body = self._redis.get(_job(name))
        return None if body is None else from_json(body)

    def change(self, name: str, step: Callable[[Job], Job]) -> Job:
        """See `Records`."""

        def put(pipe: Any) -> Job:
            body = pipe.get(_job(name))
            if body is None:
                raise KeyError(name)
            before = from_json(body)
            changed = step(before)
            pipe.multi()
            _write(pipe, changed, before)
            return changed

        return self._transaction(put, _job(name))

    def remove(self, name: str) -> None:
        """See `Records`."""
        job = self.get(name)
        keys = [_job(name), *([_key(job.key)] if job is not None and job.key else [])]
        with self._redis.pipeline() as pipe:
            pipe.delete(*keys).zrem(WAITING, name).srem(RUNNING, name).hdel(BYTES, name).execute()

    def waiting(self) -> list[str]:
        """See `Records`."""
        return list(map(_text, self._redis.zrange(WAITING, 0, -1)))

    def all(self) -> list[Job]:
        """See `Records`."""
        names = list(map(_text, self._redis.hkeys(BYTES)))
        bodies = self._redis.mget(list(map(_job, names))) if names else []
        return [from_json(body) for body in bodies if body is not None]

    def figures(self) -> Figures:
        """See `Records`."""
        with self._redis.pipeline() as pipe:
            pipe.zcard(WAITING).scard(RUNNING).zrange(WAITING, 0, 0, withscores=True).hvals(BYTES).hgetall(COUNTS)
            waiting, running, first, stored, counts = pipe.execute()
        return Figures(
            waiting=waiting,
            running=running,
            oldest=first[0][1] if first else None,
            bytes=sum(map(int, stored)),
            counts={_text(name): float(amount) for name, amount in counts.items()},
        )

    def _transaction(self, put: Callable[[Any], Job], *watched: str) -> Job:
        """Runs `put`, and again whenever one of the keys has changed meanwhile."""
        with self._redis.pipeline() as pipe:
            while True:
                try:
                    pipe.watch(*watched)
                    job = put(pipe)
                    pipe.execute()
                except redis.WatchError:
                    continue
                return job


def _write(pipe: Any, job: Job, before: Job | None = None) -> None:
    """The job, and what all jobs share where that changes: those who add one watch it."""
    pipe.set(_job(job.id), to_json(job))
    for name, amount in tally(before, job).items():
        pipe.hincrbyfloat(COUNTS, name, amount)
    if before is None or before.bytes != job.bytes:
        pipe.hset(BYTES, job.id, job.bytes)
    if before is not None and before.state is job.state:
        return
    if job.state is State.QUEUED:
        pipe.zadd(WAITING, {job.id: job.created})
    else:
        pipe.zrem(WAITING, job.id)
    if job.state is State.RUNNING:
        pipe.sadd(RUNNING, job.id)
    else:
        pipe.srem(RUNNING, job.id)


def _job(name: str) -> str:
    return f"hush:jobs:job:{name}"


def _key(key: str) -> str:
    return f"hush:jobs:key:{hashlib.sha256(key.encode()).hexdigest()}"


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode()
