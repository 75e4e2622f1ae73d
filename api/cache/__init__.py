"""Answers of `/predict` that are kept, so that the same recording sent again costs no inference.

key.py        what an answer depends on, as one name
entry.py      one kept answer: a fixed header, then the bytes that were sent
folder.py     entries as files, shared by the workers of an instance
shared.py     entries in Redis, shared by a fleet
question.py   one request and the cache: hit, miss or bypass; what is kept of its answer
make.py       from settings to a cache, or to none
"""

from api.cache.make import make_cache
from api.cache.question import Cache, ResultCache

__all__ = ["Cache", "ResultCache", "make_cache"]
