"""What clients of jobs are answered, with the states in SQLite and in Redis."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.environment import SettingsError
from api.settings import Settings
from inference.noise import NoiseLibrary
from inference.store import ModelStore
from tests.api.jobs.conftest import Bench
from tests.api.recordings import FORM_TYPE, encoded, noise
from tests.api.test_openapi import check
from tests.inference.files import without_total

SHORT = encoded(noise(1.0))
OTHER = encoded(noise(1.0, seed=2))


@pytest.fixture(scope="module")
def document(client: FlaskClient) -> dict[str, Any]:
    return dict(client.get("/openapi.json").get_json())


def test_the_way_of_a_job(bench: Bench, document: dict[str, Any]) -> None:
    answer = bench.post(SHORT, "?format=flac")
    check(document, "post", "/jobs", answer)
    path = answer.headers["Location"]
    assert re.fullmatch(r"/jobs/[0-9a-f]{32}", path)
    assert answer.status_code == 202
    assert answer.get_json()["state"] == "queued"
    assert bench.job(bench.submit(OTHER))["position"] == 2
    early = bench.client.get(f"{path}/audio")
    check(document, "get", "/jobs/{name}/audio", early)
    assert (early.status_code, early.get_json()["position"], early.get_json()["progress"]) == (409, 1, 0)
    bench.work(path)
    done = bench.client.get(path)
    check(document, "get", "/jobs/{name}", done)
    assert (done.get_json()["state"], done.get_json()["progress"]) == ("done", 1)
    audio = bench.client.get(done.get_json()["links"]["audio"])
    check(document, "get", "/jobs/{name}/audio", audio)
    direct = bench.client.post("/predict?format=flac", data=SHORT, content_type="audio/wav", buffered=True)
    assert (audio.data, audio.content_type) == (direct.data, "audio/flac")
    assert audio.headers["X-Model"] == direct.headers["X-Model"]


def test_ranges(bench: Bench, document: dict[str, Any]) -> None:
    path = bench.submit(SHORT)
    bench.work(path)
    whole = bench.client.get(f"{path}/audio").data

    def get(**headers: str) -> Any:
        answer = bench.client.get(f"{path}/audio", headers={name.replace("_", "-"): headers[name] for name in headers})
        check(document, "get", "/jobs/{name}/audio", answer)
        return answer

    assert bench.client.head(f"{path}/audio").content_length == len(whole)
    part = get(Range="bytes=100-199")
    assert (part.status_code, part.data) == (206, whole[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
    assert get(Range="bytes=-50").data == whole[-50:]
    beyond = get(Range=f"bytes={len(whole)}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    assert get(Range="bytes=0-1,5-6").data == whole  # of several ranges: all
    assert get(Range="bytes=0-9", If_Range=part.headers["ETag"]).data == whole[:10]
    assert get(Range="bytes=0-9", If_Range='"another"').data == whole


def test_unknown_jobs(bench: Bench, document: dict[str, Any]) -> None:
    for name in ("0" * 32, "nope", "A" * 32):
        for method, suffix in (("get", ""), ("get", "/audio"), ("delete", "")):
            answer = bench.client.open(f"/jobs/{name}{suffix}", method=method)
            assert answer.status_code == 404
            check(document, method, "/jobs/{name}" + suffix, answer)
    assert bench.client.get("/jobs").status_code == 405


def test_cancelled_twice(bench: Bench, document: dict[str, Any]) -> None:
    path = bench.submit(SHORT)
    answer = bench.client.delete(path)
    check(document, "delete", "/jobs/{name}", answer)
    assert (answer.status_code, answer.get_json()["state"]) == (200, "cancelled")
    again = bench.client.delete(path)
    check(document, "delete", "/jobs/{name}", again)
    assert (again.status_code, again.get_json()["type"]) == (409, "urn:hush:problem:job-cancelled")
    audio = bench.client.get(f"{path}/audio")
    check(document, "get", "/jobs/{name}/audio", audio)
    assert (audio.status_code, audio.get_json()["state"]) == (409, "cancelled")
    bench.work(path)  # the message in the queue comes to nothing
    assert bench.job(path)["state"] == "cancelled"
    assert bench.record(path).bytes == 0


def test_a_result_can_be_removed(bench: Bench, document: dict[str, Any]) -> None:
    path = bench.submit(SHORT)
    bench.work(path)
    assert bench.client.delete(path).get_json()["state"] == "expired"
    for method, suffix in (("get", ""), ("get", "/audio"), ("delete", "")):
        answer = bench.client.open(path + suffix, method=method)
        check(document, method, "/jobs/{name}" + suffix, answer)
        assert answer.status_code == 410
    with pytest.raises(FileNotFoundError):
        bench.places.storage.size(bench.record(path).result)


def age(bench: Bench, path: str, seconds: float) -> None:
    """As if the end of the job's time had been so long ago."""
    bench.places.records.change(path[6:], lambda job: replace(job, expires=time.time() - seconds))


def test_results_expire_and_are_forgotten(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(jobs_result_s=600.0, jobs_gone_s=300.0)
    path = bench.submit(SHORT)
    bench.work(path)
    with bench.client.get(f"{path}/audio") as audio:  # closes what it does not read
        assert audio.status_code == 200
    left = bench.record(path).expires - time.time()
    assert 0 < left <= 600
    age(bench, path, 1)
    assert bench.client.get(f"{path}/audio").status_code == 410  # before anybody has cleaned up
    bench.caretaker().round()
    assert bench.record(path).state == "expired"
    with pytest.raises(FileNotFoundError):
        bench.places.storage.size(bench.record(path).result)
    age(bench, path, 299)
    bench.caretaker().round()
    assert bench.client.get(path).status_code == 410
    age(bench, path, 301)
    bench.caretaker().round()
    assert bench.client.get(path).status_code == 404


def test_idempotency(bench: Bench, document: dict[str, Any]) -> None:
    first = bench.post(SHORT, headers={"Idempotency-Key": '"one"'})
    same = bench.post(SHORT, headers={"Idempotency-Key": "one"})
    assert same.status_code == 202
    assert same.headers["Location"] == first.headers["Location"]
    assert len(bench.places.records.all()) == 1
    for answer in (
        bench.post(OTHER, headers={"Idempotency-Key": '"one"'}),
        bench.post(SHORT, "?attenuation_limit_db=6", headers={"Idempotency-Key": '"one"'}),
    ):
        check(document, "post", "/jobs", answer)
        assert (answer.status_code, answer.get_json()["type"]) == (422, "urn:hush:problem:idempotency-key-reused")
    assert bench.post(SHORT, headers={"Idempotency-Key": '"two"'}).headers["Location"] != first.headers["Location"]
    for bad in ("", '"half', "a b", "x" * 256):
        answer = bench.post(SHORT, headers={"Idempotency-Key": bad})
        check(document, "post", "/jobs", answer)
        assert answer.status_code == 400, bad
    recordings = [job.upload for job in bench.places.records.all()]
    assert [bench.places.storage.size(name) for name in recordings] == [len(SHORT)] * 2


def test_bounds(make_bench: Callable[..., Bench], document: dict[str, Any]) -> None:
    bench = make_bench(
        jobs_max_queued=1, jobs_max_seconds=2.0, jobs_max_body_bytes=200_000, max_seconds=0.5, max_body_bytes=20_000
    )
    long = bench.post(encoded(noise(3.0)))
    assert (long.status_code, long.get_json()["seconds_limit"]) == (413, 2)
    large = bench.post(encoded(noise(10.0)))
    assert (large.status_code, large.get_json()["limit_bytes"]) == (413, 200_000)
    bench.submit(SHORT)  # more than /predict takes
    full = bench.post(SHORT)
    assert (full.status_code, full.headers["Retry-After"]) == (503, "60")
    for answer in (long, large, full):
        check(document, "post", "/jobs", answer)
    stored = make_bench(jobs_max_stored_bytes=2 * len(SHORT) + 100)
    stored.submit(SHORT)
    assert stored.post(SHORT).status_code == 503


def test_what_is_too_long_is_shown_the_way(make_bench: Callable[..., Bench], document: dict[str, Any]) -> None:
    bench = make_bench(max_seconds=0.5, max_body_bytes=40_000)
    for recording, kind in ((SHORT, "audio-too-long"), (encoded(noise(2.0)), "body-too-large")):
        answer = bench.client.post("/predict", data=recording, content_type="audio/wav", buffered=True)
        check(document, "post", "/predict", answer)
        assert (answer.status_code, answer.get_json()["type"]) == (413, f"urn:hush:problem:{kind}")
        assert answer.get_json()["jobs"] == "/jobs"
        assert answer.headers["Link"] == '</jobs>; rel="alternate"'


@pytest.mark.parametrize(
    ("recording", "query", "status"),
    [
        (SHORT, "?model=nope", 404),
        (SHORT, "?stream=true", 400),
        (SHORT, "?format=aac", 400),
        (encoded(noise(1.0, channels=3)), "?format=mp3", 422),
        (b"no audio at all" * 20, "", 400),
        (SHORT[:-2000], "", 400),
        (b"", "", 400),
    ],
)
def test_bad_requests(bench: Bench, document: dict[str, Any], recording: bytes, query: str, status: int) -> None:
    answer = bench.post(recording, query)
    check(document, "post", "/jobs", answer)
    assert answer.status_code == status
    assert bench.places.records.all() == []


def test_damage_in_the_middle_makes_the_job_fail(bench: Bench) -> None:
    samples = noise(20.0)
    samples[-1] = float("nan")
    path = bench.submit(encoded(samples, subtype="FLOAT"))
    bench.work(path)
    job = bench.job(path)
    assert (job["state"], job["problem"]["type"]) == ("failed", "urn:hush:problem:non-finite-audio")
    audio = bench.client.get(f"{path}/audio")
    assert (audio.status_code, audio.get_json()["problem"]["status"]) == (409, 400)


def test_too_long_without_saying_so_makes_the_job_fail_before_it_is_enhanced(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(jobs_max_seconds=12.0)
    path = bench.submit(without_total(encoded(noise(24.0), container="FLAC")))
    bench.work(path)
    job = bench.job(path)
    assert (job["state"], job["progress"]) == ("failed", 0.0)
    assert (job["problem"]["type"], job["problem"]["status"]) == ("urn:hush:problem:audio-too-long", 413)


def test_forms(bench: Bench) -> None:
    file = b'--b0und\r\nContent-Disposition: form-data; name="audio_file"; filename="a.wav"\r\n\r\n' + SHORT
    webhook = b'\r\n--b0und\r\nContent-Disposition: form-data; name="webhook"\r\n\r\nhttps://10.0.0.1/'
    plain = bench.client.post("/jobs", data=file + b"\r\n--b0und--\r\n", content_type=FORM_TYPE, buffered=True)
    assert plain.status_code == 202
    both = bench.client.post("/jobs", data=file + webhook + b"\r\n--b0und--\r\n", content_type=FORM_TYPE, buffered=True)
    assert (both.status_code, both.get_json()["type"]) == (400, "urn:hush:problem:webhook-refused")


def test_a_service_without_jobs(client: FlaskClient, document: dict[str, Any]) -> None:
    answers = {
        ("post", "/jobs"): client.post("/jobs", data=SHORT, content_type="audio/wav", buffered=True),
        ("get", "/jobs/{name}"): client.get("/jobs/" + "0" * 32),
        ("delete", "/jobs/{name}"): client.delete("/jobs/" + "0" * 32),
        ("get", "/jobs/{name}/audio"): client.get("/jobs/" + "0" * 32 + "/audio"),
    }
    for (method, path), answer in answers.items():
        check(document, method, path, answer)
        assert answer.get_json()["type"] == "urn:hush:problem:jobs-disabled"


def test_states_need_a_place(models: ModelStore, noises: NoiseLibrary) -> None:
    with pytest.raises(SettingsError, match="HUSH_REDIS_URL"):
        create_app(Settings(jobs_bucket="recordings"), models, noises)


def test_no_redis_is_no_fault_of_the_client(
    tmp_path: Any, models: ModelStore, noises: NoiseLibrary, document: dict[str, Any]
) -> None:
    settings = Settings(jobs_dir=tmp_path, redis_url=f"unix://{tmp_path}/nobody.sock")
    client = create_app(settings, models, noises).test_client()
    answer = client.post("/jobs", data=SHORT, content_type="audio/wav", buffered=True)
    check(document, "post", "/jobs", answer)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert client.get("/jobs/" + "0" * 32).status_code == 503
    assert list((tmp_path / "recordings").iterdir()) == []
