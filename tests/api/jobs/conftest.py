"""Both places for states, with a Worker and a Caretaker in the test process where no process is the point."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.jobs.caretaker import Caretaker
from api.jobs.job import Job
from api.jobs.places import Places, open_places
from api.jobs.work import Worker
from api.settings import Settings
from inference.noise import NoiseLibrary
from inference.store import ModelStore
from tests.api.jobs.running import redis_server

SECRET = "a-secret-of-the-tests"


@dataclass(frozen=True)
class Bench:
    """An application that takes jobs, and hands that work on them when they are told to."""

    client: FlaskClient
    places: Places
    settings: Settings
    models: ModelStore

    def post(self, recording: bytes, query: str = "", **keywords: Any) -> TestResponse:
        return self.client.post(f"/jobs{query}", data=recording, content_type="audio/wav", buffered=True, **keywords)

    def submit(self, recording: bytes, query: str = "") -> str:
        """Path of a new job."""
        answer = self.post(recording, query)
        assert answer.status_code == 202, answer.text
        return str(answer.headers["Location"])

    def job(self, path: str) -> dict[str, Any]:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.get_json())

    def record(self, path: str) -> Job:
        job = self.places.records.get(path.rpartition("/")[2])
        assert job is not None
        return job

    def worker(self, name: str = "worker", is_stopping: Callable[[], bool] = lambda: False) -> Worker:
        return Worker(self.places, self.models, self.settings, name, is_stopping)

    def work(self, path: str) -> None:
        """Does the job, here and now."""
        self.worker()(path.rpartition("/")[2])

    def caretaker(self) -> Caretaker:
        return Caretaker(self.places, self.settings, self.places.open_queue(None))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["sqlite", "redis"])
def states(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of the place for states; the Redis is empty."""
    if request.param == "sqlite":
        return {}
    url: str = request.getfixturevalue("redis_url")
    redis.Redis.from_url(url).flushall()
    return {"redis_url": url}


@pytest.fixture
def make_bench(
    tmp_path: Path, models: ModelStore, noises: NoiseLibrary, states: dict[str, str]
) -> Iterator[Callable[..., Bench]]:
    """A bench with further settings."""
    with ExitStack() as held:

        def make(**more: Any) -> Bench:
            chosen: dict[str, Any] = {"jobs_dir": tmp_path / "jobs", **states, **more}
            settings = Settings(**chosen)
            places = open_places(settings)
            assert places is not None
            app = create_app(settings, models, noises)
            held.callback(app.extensions["admission"].close)
            return Bench(app.test_client(), places, settings, models)

        yield make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
