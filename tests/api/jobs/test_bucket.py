"""Recordings of jobs in S3, as far as moto's server is one."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.jobs.bucket import Bucket
from tests.api.jobs.conftest import Bench
from tests.api.recordings import encoded, noise
from tests.cloud.aws import Cloud, start_cloud

NAME = "recordings"
SHORT = encoded(noise(1.0))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with start_cloud(tmp_path_factory.mktemp("moto") / "log") as running:
        yield running


@pytest.fixture
def bucket(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The empty bucket, as AWS's own client sees it."""
    for name, value in {**cloud.environment, "AWS_DEFAULT_REGION": cloud.environment["AWS_REGION"]}.items():
        monkeypatch.setenv(name, value)
    client = cloud.client("s3")
    listed = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    if NAME not in listed:
        client.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for item in client.list_objects_v2(Bucket=NAME).get("Contents", ()):
        client.delete_object(Bucket=NAME, Key=item["Key"])
    return client


def keys(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket=NAME).get("Contents", ())]


def test_the_way_of_a_job(bucket: Any, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(jobs_bucket=NAME)
    path = bench.submit(SHORT)
    assert keys(bucket) == [f"jobs/{path[6:]}.upload"]
    bench.work(path)
    assert keys(bucket) == [f"jobs/{path[6:]}.result1"]
    audio = bench.client.get(f"{path}/audio")
    direct = bench.client.post("/predict", data=SHORT, content_type="audio/wav", buffered=True)
    assert audio.data == direct.data
    part = bench.client.get(f"{path}/audio", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, direct.data[10:20])
    assert bench.client.delete(path).status_code == 200
    assert keys(bucket) == []


def test_large_recordings_in_pieces(bucket: Any, tmp_path: Path) -> None:
    """Above 8 MiB boto3 sends parts."""
    content = os.urandom(20 * 2**20)
    storage = Bucket(NAME, "eu-central-1", tmp_path)
    beats: list[int] = []
    file = io.BytesIO(content)
    assert storage.put("a.upload", file, lambda: beats.append(1)) == len(content)
    assert not file.closed
    assert len(beats) > 2
    with storage.open("a.upload", lambda: beats.append(1)) as copy:
        assert copy.read() == content
    assert b"".join(storage.read("a.upload", 5, 9 * 2**20)) == content[5 : 9 * 2**20]
    assert storage.size("a.upload") == len(content)


def test_a_copy_that_is_ended_leaves_nothing(bucket: Any) -> None:
    def end() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        Bucket(NAME, None, None).put("b.upload", io.BytesIO(os.urandom(20 * 2**20)), end)
    assert keys(bucket) == []


def test_what_is_not_there(bucket: Any) -> None:
    storage = Bucket(NAME, None, None)
    for look in (lambda: storage.size("c.result1"), lambda: storage.read("c.result1", 0, 10)):
        with pytest.raises(FileNotFoundError):
            look()
    storage.delete("c")


def test_no_bucket_is_no_fault_of_the_client(bucket: Any, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(jobs_bucket="nobodys-bucket")
    answer = bench.post(SHORT)
    assert (answer.status_code, answer.get_json()["type"]) == (503, "urn:hush:problem:jobs-unavailable")
    assert bench.places.records.all() == []
