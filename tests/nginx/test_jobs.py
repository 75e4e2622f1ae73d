"""Long recordings at the gateway: a limit of their own, asked about as often as wanted, tried once."""

from pathlib import Path

import requests

from tests.nginx.gateway import gateway
from tests.nginx.upstream import Upstream

MIB = 2**20


def test_the_limit_depends_on_where_the_body_goes(backend: Upstream, tmp_path: Path) -> None:
    with gateway(tmp_path, backend.address, body_limit_mb=1, jobs_body_limit_mb=3) as running:
        for path, sent, status, limit in (
            ("/predict", 2, 413, 1),
            ("/jobs/x", 2, 413, 1),
            ("/jobs", 2, 200, 3),
            ("/jobs?format=flac", 4, 413, 3),
        ):
            answer = requests.post(running.url + path, data=bytes(sent * MIB), timeout=20)
            assert answer.status_code == status, path
            if status == 413:
                assert answer.json()["limit_bytes"] == limit * MIB
                assert f"{limit} MiB" in answer.json()["detail"]
            else:
                assert answer.json()["length"] == sent * MIB
                assert answer.json()["headers"]["x-request-id"] == answer.headers["X-Request-Id"]


def test_progress_is_not_counted(backend: Upstream, tmp_path: Path) -> None:
    with gateway(tmp_path, backend.address, rate=1, burst=1) as running:
        taken = [requests.post(f"{running.url}/jobs", data=b"x", timeout=10).status_code for _ in range(3)]
        assert taken == [200, 200, 429]
        asked = [requests.get(f"{running.url}/jobs/{'0' * 32}", timeout=10).status_code for _ in range(20)]
        assert asked == [200] * 20


def test_a_job_is_not_given_twice(backend: Upstream, tmp_path: Path) -> None:
    """/predict is tried again when its worker dies; a job may have been taken by then."""
    with gateway(tmp_path, backend.address) as running:
        for path, tries in (("/dies", 2), ("/jobs", 1)):
            backend.hits.clear()
            answer = requests.post(f"{running.url}{path}", data=b"die", timeout=10)
            assert answer.status_code == 502
            assert backend.hits == [path] * tries
