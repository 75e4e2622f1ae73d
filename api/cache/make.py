"""From settings to a cache."""

import json
from typing import Any

import torch

from api.cache.folder import FolderStore
from api.cache.question import Cache, Counted, NoCache, ResultCache, uncounted
from api.cache.shared import RedisStore
from api.environment import SettingsError
from api.settings import Settings


def make_cache(settings: Settings, version: dict[str, Any], counted: Counted = uncounted) -> Cache:
    """The cache that the settings ask for; `version` describes the build, `counted` is told outcomes.

    Call it before the fork. Raises `SettingsError` where the cache has no place.
    """
    if settings.cache_bytes == 0:
        return NoCache()
    bounds = {"most_bytes": settings.cache_bytes, "seconds": settings.cache_ttl_s}
    if settings.redis_url is not None:
        return ResultCache(RedisStore(settings.redis_url, **bounds), _build(settings, version), counted)
    if settings.cache_dir is None:
        raise SettingsError(["HUSH_CACHE_BYTES asks for a cache, which needs HUSH_CACHE_DIR or HUSH_REDIS_URL"])
    try:
        return ResultCache(FolderStore(settings.cache_dir, **bounds), _build(settings, version), counted)
    except OSError as error:
        raise SettingsError([f"HUSH_CACHE_DIR is {str(settings.cache_dir)!r}: {error.strerror}"]) from error


def _build(settings: Settings, version: dict[str, Any]) -> str:
    """What else answers depend on: the code, the number format, and how this processor computes."""
    arithmetic = [torch.__version__, torch.backends.cpu.get_cpu_capability(), settings.precision, settings.device]
    return json.dumps([version, arithmetic], sort_keys=True)
