"""Entries in Redis, for several instances: one string each, and beside them who was used when and how large it is.

The three scripts run in Redis, so that all instances together keep to one bound. The names share a hash tag, for a
cluster. Redis that does not answer is left alone for `PAUSE_SECONDS`: every request is a miss meanwhile.
"""

import hashlib
import io
import logging
import time
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from api.cache.entry import Facts, Found, header, opened

log = logging.getLogger("hush")

PREFIX = "{hush:cache}:"
LARGEST = 64 * 2**20  # bytes; an entry passes through memory here and in Redis
LARGEST_SHARE = 4
PAUSE_SECONDS = 5.0
CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 2.0

FORGET = """
local function forget(id)
  local size = redis.call('HGET', KEYS[2], id)
  if size then redis.call('DECRBY', KEYS[3], size) end
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[1], id)
  redis.call('DEL', KEYS[4] .. id)
end
local function touch(id)
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[1], now[1] * 1000000 + now[2], id)
end
"""
FIND = """
local value = redis.call('GET', KEYS[4] .. ARGV[1])
if value then touch(ARGV[1]) else forget(ARGV[1]) end
return value
"""
KEEP = """
local id, size, most = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
forget(id)
while tonumber(redis.call('GET', KEYS[3]) or '0') + size > most do
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not oldest then
    redis.call('SET', KEYS[3], 0)
    break
  end
  forget(oldest)
end
redis.call('SET', KEYS[4] .. id, ARGV[2], 'EX', ARGV[5])
redis.call('HSET', KEYS[2], id, size)
redis.call('INCRBY', KEYS[3], size)
touch(id)
"""


class RedisStore:
    """At most `most_bytes` of entries in the Redis at `url`, none answered more than `seconds` after it was made."""

    def __init__(self, url: str, *, most_bytes: int, seconds: float) -> None:
        # Connects when first used, after the fork; each process has connections of its own.
        self._redis = Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)
        self.largest = min(most_bytes // LARGEST_SHARE, LARGEST)
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._find = self._redis.register_script(FORGET + FIND)
        self._keep = self._redis.register_script(FORGET + KEEP)
        self._keys = [PREFIX + name for name in ("used", "sizes", "total", "")]
        self._paused_until = 0.0  # time.monotonic()

    def find(self, key: str) -> Found | None:
        """See `Store`."""
        value = cast("bytes | None", self._ask(self._find, key))
        return None if value is None else opened(io.BytesIO(value), self._seconds)

    def writer(self, key: str) -> "RedisWriter":
        """See `Store`."""
        return RedisWriter(self, key)

    def admit(self, key: str, entry: bytes) -> None:
        """Keeps a complete entry."""
        self._ask(self._keep, key, entry, len(entry), self._most_bytes, max(1, int(self._seconds)))

    def _ask(self, script: Any, *arguments: bytes | str | int) -> Any:
        if time.monotonic() < self._paused_until:
            return None
        try:
            return script(keys=self._keys, args=arguments)
        except RedisError as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            log.warning("cache: Redis does not serve, going on without for %g s: %s", PAUSE_SECONDS, error)
            return None


class RedisWriter:
    """See `Writer`."""

    def __init__(self, store: RedisStore, key: str) -> None:
        self._store = store
        self._key = key
        self._digest = hashlib.sha256()
        self._body: io.BytesIO | None = io.BytesIO()
        self.digest = ""

    def write(self, data: bytes) -> None:
        """See `Writer`."""
        self._digest.update(data)
        if self._body is None:
            return
        self._body.write(data)
        if self._body.tell() > self._store.largest:
            self.drop()

    def keep(self, facts: Facts) -> None:
        """See `Writer`."""
        self.digest = self._digest.hexdigest()
        if self._body is not None:
            body = self._body.getvalue()
            self._store.admit(self._key, header(facts, self.digest, len(body)) + body)
        self.drop()

    def drop(self) -> None:
        """See `Writer`."""
        self._body = None
