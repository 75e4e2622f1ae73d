"""Where the settings want jobs to be kept: states in SQLite or Redis, recordings in a folder or a bucket."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from huey.api import RedisHuey, SqliteHuey

from api.environment import SettingsError
from api.jobs.queue import JobQueue, PlainSerializer
from api.jobs.records import Records
from api.jobs.sqlite import SqliteRecords
from api.jobs.storage import Folder, Storage
from api.settings import Settings

NAME = "hush-jobs"
OBSERVED_SECONDS = 1.0
REDIS_SECONDS = 5.0  # longest silence of Redis; above the second for which huey waits for a message


@dataclass(frozen=True, kw_only=True)
class Places:
    """Made before the fork, used after it. `trouble` is what they raise when they do not answer.

    `observed` are the same records for who must not wait for them long.
    """

    records: Records
    observed: Records
    storage: Storage
    open_queue: Callable[[Callable[[str], None] | None], JobQueue]
    trouble: tuple[type[Exception], ...]


def open_places(settings: Settings) -> Places | None:
    """The places, or None where the service takes no jobs; raises SettingsError."""
    if settings.jobs_dir is None and settings.jobs_bucket is None:
        return None
    try:
        storage, failing_storage = _storage(settings)
        records, observed, queue, failing_records = _states(settings)
    except (OSError, sqlite3.Error) as error:
        raise SettingsError([f"HUSH_JOBS_DIR is {str(settings.jobs_dir)!r}, which cannot be used: {error}"]) from error
    trouble: tuple[type[Exception], ...] = (OSError, *failing_storage, *failing_records)
    return Places(records=records, observed=observed, storage=storage, open_queue=queue, trouble=trouble)


def _storage(settings: Settings) -> tuple[Storage, tuple[type[Exception], ...]]:
    if settings.jobs_bucket is None:
        assert settings.jobs_dir is not None
        return Folder(settings.jobs_dir / "recordings"), ()
    from botocore.exceptions import BotoCoreError, ClientError

    from api.jobs.bucket import Bucket  # boto3 takes a quarter of a second and 20 MB

    return Bucket(settings.jobs_bucket, settings.jobs_region, settings.spool_dir), (BotoCoreError, ClientError)


def _states(settings: Settings) -> tuple[Records, Records, Any, tuple[type[Exception], ...]]:
    if settings.redis_url is not None:
        return _in_redis(settings.redis_url)
    if settings.jobs_dir is None:
        raise SettingsError(["HUSH_JOBS_BUCKET is set, but neither HUSH_REDIS_URL nor HUSH_JOBS_DIR for the states"])
    settings.jobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = settings.jobs_dir / "queue.sqlite"

    def queue(work: Callable[[str], None] | None = None) -> JobQueue:
        # Ids must not be used again, or a message could overtake an older one.
        return JobQueue(
            SqliteHuey(NAME, filename=str(file), strict_fifo=True, serializer=PlainSerializer(), results=False), work
        )

    records = SqliteRecords(settings.jobs_dir / "jobs.sqlite")  # readers do not wait for writers
    return records, records, queue, (sqlite3.Error,)


def _in_redis(url: str) -> tuple[Records, Records, Any, tuple[type[Exception], ...]]:
    import redis

    from api.jobs.redis import RedisRecords

    def pool_of(seconds: float) -> redis.ConnectionPool:
        return redis.ConnectionPool.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, health_check_interval=30
        )

    pool = pool_of(REDIS_SECONDS)

    def queue(work: Callable[[str], None] | None = None) -> JobQueue:
        return JobQueue(RedisHuey(NAME, connection_pool=pool, serializer=PlainSerializer(), results=False), work)

    return RedisRecords(pool), RedisRecords(pool_of(OBSERVED_SECONDS)), queue, (redis.RedisError,)
