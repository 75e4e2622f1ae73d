"""The real Redis, on a free port of the loopback, with nothing on disk."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError

from tests.nginx.gateway import free_port
from tests.servers import wait_for

REDIS = shutil.which("redis-server")
MISSING = "the program redis-server is not installed (Debian: apt-get install redis-server)"


@contextmanager
def redis_server() -> Iterator[str]:
    """Its URL; it ends with the block."""
    port = free_port()
    command = [str(REDIS), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        wait_for(lambda: _answers(url), 20, "start of Redis")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url, socket_timeout=1).ping())
    except RedisError:
        return False
