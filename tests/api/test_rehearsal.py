"""What the master serves to itself leaves no trace but in memory."""

import ctypes
from pathlib import Path

import pytest
import requests

from api.memory import Holes
from api.rehearsal import rehearse
from api.settings import Settings
from inference.noise import NoiseLibrary
from inference.store import ModelStore
from tests.servers import start_gunicorn


def test_nothing_of_it_is_counted_or_logged(tmp_path: Path):
    with start_gunicorn(tmp_path, HUSH_ACCESS_LOG="true", HUSH_WORKERS="2") as server:
        page = requests.get(f"{server.url}/metrics", timeout=10).text
        assert "hush_requests_total{" in page  # of the question whether it is ready
        assert "/predict" not in page
        assert "hush_quality_values_total{" not in page
        assert "/predict" not in server.log


def test_every_format_is_answered(models: ModelStore, noises: NoiseLibrary, monkeypatch: pytest.MonkeyPatch):
    statuses: list[int] = []
    monkeypatch.setattr(
        "api.bookkeeping.Bookkeeping.settle", lambda self, known, facts, **_: statuses.append(facts["status"])
    )
    rehearse(Settings(access_log=True), models, noises)
    assert statuses == [200] * len(statuses)
    assert len(statuses) == 32


def test_settings_that_refuse_everything_do_not_stop_it(models: ModelStore, noises: NoiseLibrary):
    rehearse(Settings(max_body_bytes=100), models, noises)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_holes_are_filled_and_opened_again():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    blocks = [libc.malloc(5000) for _ in range(1000)]
    for block in blocks[::2]:
        libc.free(block)
    holes = Holes()
    assert holes.fill() >= 500
    fresh = [libc.malloc(5000) for _ in range(100)]
    assert min(fresh) > max(blocks)  # not between them
    holes.open()
    again = [libc.malloc(5000) for _ in range(100)]
    assert min(again) < max(blocks)
    for block in (*blocks[1::2], *fresh, *again):
        libc.free(block)
