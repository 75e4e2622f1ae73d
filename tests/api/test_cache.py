"""Kept answers: what is a hit and what is not, what a hit costs, and what breaks nothing."""

import io
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.cache import ResultCache, make_cache
from api.cache.entry import Facts, Store
from api.cache.folder import FolderStore
from api.cache.key import Variant
from api.cache.shared import RedisStore
from api.environment import SettingsError
from api.settings import Settings
from inference.store import ModelStore
from tests.api.conftest import Make
from tests.api.recordings import encoded, noise
from tests.api.redis_server import MISSING, REDIS, redis_server
from tests.servers import start_gunicorn

AUDIO = encoded(noise(0.5))
OTHER = encoded(noise(0.5, seed=2))
FACTS = Facts(media_type="audio/wav", file_name="enhanced.wav", clipped_samples=0)
MEGABYTE = 2**20


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    if REDIS is None:
        pytest.skip(MISSING)
    with redis_server() as url:
        yield url


def post(client: FlaskClient, query: str = "", audio: bytes = AUDIO, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/predict?model=dae{query}", data=audio, content_type="audio/wav", headers=named, buffered=True)


def outcome(answer: TestResponse) -> tuple[int, str | None]:
    return answer.status_code, answer.headers.get("X-Cache")


@pytest.fixture(params=["folder", "redis"])
def cached(make_client: Make, tmp_path: Path, request: pytest.FixtureRequest) -> FlaskClient:
    if request.param == "folder":
        return make_client(cache_bytes=64 * MEGABYTE, cache_dir=tmp_path, slots=1, queue_length=0)
    url = request.getfixturevalue("redis")
    # The build is part of the key and keeps the tests apart.
    version = tmp_path / "version.json"
    version.write_text(f'{{"commit": "{tmp_path}"}}')
    return make_client(cache_bytes=64 * MEGABYTE, redis_url=url, slots=1, queue_length=0, version_file=version)


def test_the_same_recording_gets_the_same_answer(cached: FlaskClient):
    first, second = post(cached), post(cached)
    assert [outcome(first), outcome(second)] == [(200, "miss"), (200, "hit")]
    assert second.data == first.data
    apart = {"X-Request-Id", "X-Cache", "Server-Timing"}
    assert {k: v for k, v in second.headers if k not in apart} == {k: v for k, v in first.headers if k not in apart}
    assert second.headers["X-Model"] == "dae"


@pytest.mark.parametrize(
    ("query", "audio", "headers"),
    [
        ("&format=flac", AUDIO, {}),
        ("&sample_rate=model", AUDIO, {}),
        ("&attenuation_limit_db=6", AUDIO, {}),
        ("&stream=true", AUDIO, {}),
        ("", OTHER, {}),
        ("", AUDIO, {"Accept": "audio/flac"}),
        ("", AUDIO, {"Authorization": "Bearer another"}),
        ("", AUDIO, {"X-API-Key": "another"}),
    ],
)
def test_what_differs_is_a_miss(cached: FlaskClient, query: str, audio: bytes, headers: dict[str, str]):
    post(cached)
    assert outcome(post(cached, query, audio, **headers)) == (200, "miss")
    assert outcome(post(cached, query, audio, **headers)) == (200, "hit")
    assert outcome(post(cached)) == (200, "hit")


def test_another_model_is_a_miss(cached: FlaskClient):
    post(cached)
    answer = cached.post("/predict?model=lsa", data=AUDIO, content_type="audio/wav", buffered=True)
    assert outcome(answer) == (200, "miss")


def test_both_forms_of_upload_share_an_answer(cached: FlaskClient):
    post(cached)
    answer = cached.post("/predict?model=dae", data={"audio_file": (io.BytesIO(AUDIO), "a.wav")}, buffered=True)
    assert outcome(answer) == (200, "hit")


def test_a_hit_takes_no_slot(cached: FlaskClient):
    kept = post(cached)
    with cached.application.extensions["admission"].slot():
        assert post(cached, audio=OTHER).status_code == 503
        assert outcome(post(cached)) == (200, "hit")
        assert post(cached).data == kept.data


def test_the_client_decides(cached: FlaskClient):
    assert outcome(post(cached, Cache_Control="no-store")) == (200, "bypass")
    assert outcome(post(cached)) == (200, "miss")
    assert outcome(post(cached, Cache_Control="no-cache")) == (200, "bypass")
    assert outcome(post(cached, Cache_Control="no-store")) == (200, "bypass")
    assert outcome(post(cached)) == (200, "hit")


def test_no_cache_keeps_the_new_answer(cached: FlaskClient):
    assert outcome(post(cached, Cache_Control="no-cache")) == (200, "bypass")
    assert outcome(post(cached)) == (200, "hit")


def test_who_has_the_answer_does_not_get_it_again(cached: FlaskClient):
    etag = post(cached).headers["ETag"]
    assert etag.startswith('"')  # a strong one
    for name in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = post(cached, If_None_Match=name)
        assert answer.status_code == 412
        assert answer.get_json()["type"] == "urn:hush:problem:nothing-new"
        assert answer.get_json()["etag"] == etag.strip('"')
    assert outcome(post(cached, If_None_Match='"x"')) == (200, "hit")
    assert post(cached, If_None_Match=etag, Cache_Control="no-cache").status_code == 412


def test_streamed_answers_are_kept_once_they_are_complete(cached: FlaskClient):
    first, second = post(cached, "&stream=true"), post(cached, "&stream=true")
    assert [outcome(first), outcome(second)] == [(200, "miss"), (200, "hit")]
    assert second.data == first.data
    assert "ETag" in second.headers


def test_streamed_answers_that_break_off_are_not(cached: FlaskClient):
    samples = noise(25.0)
    samples[20 * 16000] = np.nan
    audio = encoded(samples, subtype="FLOAT")
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            post(cached, "&stream=true", audio)
    answer = cached.post("/predict?model=dae&stream=true", data=AUDIO, content_type="audio/wav", buffered=False)
    answer.close()  # a client that hangs up before the end
    assert outcome(post(cached, "&stream=true")) == (200, "miss")


def test_errors_are_not_kept(cached: FlaskClient):
    for _ in range(2):
        assert post(cached, audio=b"no audio").status_code == 400


def test_without_the_setting_nothing_is_said(client: FlaskClient):
    answer = post(client)
    assert outcome(answer) == (200, None)
    assert "ETag" not in answer.headers


def test_a_cache_needs_a_place():
    with pytest.raises(SettingsError, match="HUSH_CACHE_DIR"):
        make_cache(Settings(cache_bytes=MEGABYTE), {})


def test_every_outcome_is_counted(models: ModelStore, client: FlaskClient, tmp_path: Path):
    seen: list[str] = []
    cache = ResultCache(FolderStore(tmp_path, most_bytes=MEGABYTE, seconds=60), "build", seen.append)
    variant = Variant(format="wav", sample_rate="source", attenuation_limit_db=None, stream=False)
    for wish in ("", "no-cache", "no-store"):
        with client.application.test_request_context(
            "/predict", method="POST", data=AUDIO, content_type="audio/wav", headers={"Cache-Control": wish}
        ):
            cache.ask(models.models["dae"].info, variant)
    assert seen == ["miss", "bypass", "bypass"]


# ---- Stores ----------------------------------------------------------------------------------------------------------


def keep(store: Store, name: str, body: bytes) -> None:
    writer = store.writer(name)
    writer.write(body)
    writer.keep(FACTS)


def has(store: Store, name: str) -> bytes | None:
    found = store.find(name)
    if found is None:
        return None
    with found.file as file:
        return file.read()


@pytest.fixture(params=["folder", "redis"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """A store of one megabyte, empty."""
    if request.param == "folder":
        return FolderStore(tmp_path, most_bytes=MEGABYTE, seconds=60)
    made = RedisStore(request.getfixturevalue("redis"), most_bytes=MEGABYTE, seconds=60)
    made._redis.flushdb()
    return made


def test_the_bound_holds_and_what_was_used_last_stays(store: Store):
    body = b"x" * 100_000
    for number in range(30):
        keep(store, f"k{number}", body)
        assert has(store, "k0") == body  # used all the time
    kept = [number for number in range(30) if has(store, f"k{number}") is not None]
    assert len(kept) * len(body) <= MEGABYTE
    assert len(kept) >= 8
    assert kept == [0, *range(30 - len(kept) + 1, 30)]


def test_what_is_too_large_is_not_kept(store: Store):
    keep(store, "small", b"x" * 1000)
    keep(store, "large", b"x" * (MEGABYTE // 4 + 1))
    assert has(store, "large") is None
    assert has(store, "small") is not None


def test_a_new_entry_takes_the_place_of_the_old_one(store: Store):
    for number in range(20):
        keep(store, "same", bytes([number]) * 200_000)
        keep(store, "other", b"y" * 200_000)
    assert has(store, "same") == bytes([19]) * 200_000
    assert has(store, "other") is not None  # counted once, not twenty times


@pytest.mark.parametrize("kind", ["folder", "redis"])
def test_old_entries_are_not_given(tmp_path: Path, request: pytest.FixtureRequest, kind: str):
    bounds = {"most_bytes": MEGABYTE, "seconds": 0.3}
    store: Store = (
        FolderStore(tmp_path, **bounds) if kind == "folder" else RedisStore(request.getfixturevalue("redis"), **bounds)
    )
    keep(store, "k", b"x")
    assert has(store, "k") == b"x"
    time.sleep(0.4)
    assert has(store, "k") is None


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "longer", "no header"])
def test_damaged_files_are_not_given(tmp_path: Path, damage: str):
    store = FolderStore(tmp_path, most_bytes=MEGABYTE, seconds=60)
    keep(store, "k", b"x" * 5000)
    (path,) = tmp_path.glob("*.entry")
    whole = path.read_bytes()
    path.write_bytes(
        {
            "flipped": whole[:-10] + b"y" + whole[-9:],
            "cut": whole[:-1],
            "empty": b"",
            "longer": whole + b"x",
            "no header": b"[1]" + whole[3:],
        }[damage]
    )
    assert has(store, "k") is None


def test_a_folder_that_cannot_be_written_breaks_nothing(make_client: Make, tmp_path: Path):
    folder = tmp_path / "cache"
    folder.mkdir()
    client = make_client(cache_bytes=64 * MEGABYTE, cache_dir=folder)
    (folder / ".ledger").unlink()
    folder.rmdir()
    for _ in range(2):
        assert outcome(post(client)) == (200, "miss")
        assert outcome(post(client, "&stream=true")) == (200, "miss")


def test_redis_that_is_gone_breaks_nothing(make_client: Make):
    if REDIS is None:
        pytest.skip(MISSING)
    with redis_server() as url:
        client = make_client(cache_bytes=64 * MEGABYTE, redis_url=url)
        post(client)
        assert outcome(post(client)) == (200, "hit")
    start = time.monotonic()
    for _ in range(3):
        assert outcome(post(client)) == (200, "miss")
    assert time.monotonic() - start < 10


def test_what_a_killed_process_left_is_removed(tmp_path: Path):
    store = FolderStore(tmp_path, most_bytes=MEGABYTE, seconds=60)
    store.writer("k").write(b"x")  # never kept
    (partial,) = tmp_path.glob("*.partial")
    FolderStore(tmp_path, most_bytes=MEGABYTE, seconds=60)
    assert partial.exists()  # somebody may still be writing
    old = time.time() - 100_000
    os.utime(partial, (old, old))
    FolderStore(tmp_path, most_bytes=MEGABYTE, seconds=60)
    assert not partial.exists()


def test_workers_share_it(tmp_path: Path):
    """Real gunicorn: hits whichever worker answers, large ones too, and the bound holds under concurrent misses."""
    folder = tmp_path / "cache"
    folder.mkdir()
    large = encoded(noise(30.0))
    with start_gunicorn(tmp_path, HUSH_CACHE_BYTES=str(4 * MEGABYTE), HUSH_CACHE_DIR=str(folder)) as server:

        def send(audio: bytes) -> requests.Response:
            return requests.post(
                f"{server.url}/predict?model=dae", data=audio, headers={"Content-Type": "audio/wav"}, timeout=60
            )

        first = send(large)
        again = [send(large) for _ in range(6)]
        assert [answer.headers["X-Cache"] for answer in again] == ["hit"] * 6
        assert {answer.content for answer in again} == {first.content}
        recordings = [encoded(noise(2.0, 48000, seed=number), 48000) for number in range(30)]  # 192 kB each
        with ThreadPoolExecutor(4) as clients:
            assert {answer.status_code for answer in clients.map(send, recordings)} == {200}
        sizes = sum(path.stat().st_size for path in folder.glob("*.entry"))
        assert 2 * MEGABYTE < sizes <= 4 * MEGABYTE
        assert int((folder / ".ledger").read_text()) == sizes
        assert not list(folder.glob("*.partial"))
        assert send(recordings[-1]).headers["X-Cache"] == "hit"
