"""What /metrics says of a running server: exact over workers, over their replacement and over a killed one."""

import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import ROWS, TABLE, table
from tests.api.conftest import Make
from tests.api.recordings import encoded, noise
from tests.servers import ROOT, Server, environment, start_gunicorn, wait_for

SHORT = encoded(noise(0.2))
WAV = {"Content-Type": "audio/wav"}
PREDICTED = 'hush_requests_total{model="recurrent",route="/predict",status="200"}'


def scraped(server: Server) -> dict[str, float]:
    """Every sample by its name and labels, as the text has them."""
    answer = requests.get(f"{server.url}/metrics", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = (line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def predict(server: Server, audio: bytes = SHORT, query: str = "") -> int:
    return requests.post(f"{server.url}/predict{query}", data=audio, headers=WAV, timeout=60).status_code


def metrics_files(server: Server) -> list[Path]:
    folders = [path for path in Path("/dev/shm").glob("hush-metrics-*") if f"-{server.process.pid}-" in path.name]
    assert len(folders) == 1
    return sorted(folders[0].iterdir())


def test_the_documentation_lists_exactly_these():
    assert table() in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_module_prints_the_table():
    command = [sys.executable, "-m", "api.metrics"]
    printed = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout
    assert printed.strip() == table()


def test_names_follow_the_conventions_of_prometheus():
    """Base units in the name, `_total` for counters and for nothing else, one prefix."""
    for row in TABLE:
        assert re.fullmatch(r"(hush|process)_[a-z_]+[a-z]", row.name)
        assert (row.kind == "counter") == row.name.endswith("_total")
        assert not re.search(r"_(ms|milliseconds|minutes|percent|bytes_kb)(_|$)", row.name)
        assert row.says.endswith(".")


def test_a_running_server_has_the_metrics_of_the_table_and_no_other(tmp_path: Path):
    with start_gunicorn(
        tmp_path,
        HUSH_QUALITY_SHARE="1",
        HUSH_CACHE_BYTES="1000000",
        HUSH_CACHE_DIR=str(tmp_path),
        HUSH_JOBS_DIR=str(tmp_path / "jobs"),
    ) as server:
        for audio in (SHORT, b"not audio"):
            predict(server, audio)
        families = list(text_string_to_metric_families(requests.get(f"{server.url}/metrics", timeout=10).text))
    found = {family.name + ("_total" if family.type == "counter" else ""): family for family in families}
    assert set(found) == set(ROWS)
    for name, family in found.items():
        assert family.type == ROWS[name].kind
        assert family.documentation == ROWS[name].says
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= set(ROWS[name].labels)


def test_every_request_is_counted_once_over_all_workers(tmp_path: Path):
    with start_gunicorn(tmp_path, HUSH_MAX_REQUESTS="20", HUSH_WORKERS="3") as server, ThreadPoolExecutor(4) as clients:
        statuses = Counter(clients.map(lambda _: predict(server), range(120)))
        assert statuses == {200: 120}
        assert predict(server, b"no audio") == 400
        assert predict(server, query="?model=nobody") == 404
        assert predict(server, query="?stream=true") == 200
        assert requests.get(f"{server.url}/nowhere", timeout=10).status_code == 404
        samples = wait_for(lambda: complete(scraped(server)), 10, "the streamed answer's count")
        assert samples['hush_requests_total{model="recurrent",route="/predict",status="400"}'] == 1
        assert samples['hush_requests_total{model="",route="/predict",status="404"}'] == 1
        assert samples['hush_requests_total{model="",route="",status="404"}'] == 1
        assert samples['hush_refusals_total{reason="not-audio"}'] == 1
        assert samples['hush_refusals_total{reason="unknown-model"}'] == 1
        for stage in ("parse", "queue", "decode", "enhance", "encode"):
            assert samples[f'hush_stage_seconds_count{{stage="{stage}"}}'] == 121
        seconds = samples['hush_audio_seconds_total{model="recurrent",route="/predict"}']
        assert seconds == pytest.approx(121 * 0.2, abs=1e-6)
        assert samples['hush_real_time_factor_count{model="recurrent"}'] == 121
        assert samples["hush_slots_in_use"] == 0
        assert samples["hush_queue_places"] == 8
        replaced = server.log.count("Autorestarting worker")
        assert replaced >= 3
        ended = wait_for(lambda: exits(scraped(server), "orderly", replaced), 10, "the exits' count")
        assert ended['hush_worker_exits_total{how="died"}'] == 0
        assert ended["hush_worker_starts_total"] >= 3 + replaced - 1
        folder = metrics_files(server)[0].parent
    wait_for(lambda: not folder.exists(), 10, "the end of the master")


@pytest.mark.parametrize("others", [0, 1])
def test_nobody_waits_for_measurements(make_client: Make, monkeypatch: pytest.MonkeyPatch, others: int):
    client = make_client(quality_share=1.0)
    monkeypatch.setattr(client.application.extensions["admission"], "waiting", lambda: others)
    with client.post("/predict", data=SHORT, content_type="audio/wav") as answer:
        assert answer.status_code == 200
    measured = "hush_quality_values_total{" in client.get("/metrics").get_data(as_text=True)
    assert measured == (others == 0)


def complete(samples: dict[str, float]) -> dict[str, float]:
    return samples if samples.get(PREDICTED) == 121 else {}


def exits(samples: dict[str, float], how: str, least: int) -> dict[str, float]:
    return samples if samples[f'hush_worker_exits_total{{how="{how}"}}'] >= least else {}


def test_nothing_is_lost_with_a_killed_worker_and_a_reload(tmp_path: Path):
    with start_gunicorn(tmp_path, HUSH_WORKERS="1") as server:
        assert predict(server) == 200
        server.workers()[0].kill()
        wait_for(lambda: exits(scraped(server), "died", 1), 20, "the count of the killed worker")
        assert predict(server) == 200
        server.process.send_signal(1)  # SIGHUP: a new worker comes before the old one goes
        wait_for(lambda: exits(scraped(server), "orderly", 1), 20, "the reload")
        assert predict(server) == 200
        samples = scraped(server)
        assert (samples[PREDICTED], samples["hush_worker_starts_total"]) == (3, 3)
        left = metrics_files(server)
        server.process.kill()
        server.process.wait(10)
    names = [path.name for path in left]
    seats = ("master", "worker0", "worker1")
    assert set(names) <= {f"{kind}_{who}.db" for kind in ("counter", "histogram") for who in seats}
    with start_gunicorn(tmp_path, HUSH_WORKERS="1") as server:
        assert not left[0].parent.exists()  # what a killed master left is removed at the next start
        assert metrics_files(server)


def test_sixty_workers_leave_no_more_files_than_three(tmp_path: Path):
    """Each worker serves one request; the numbers of all of them are there at the end, in the files of a few seats."""
    with start_gunicorn(tmp_path, HUSH_MAX_REQUESTS="1") as server:
        for _ in range(60):
            assert requests.get(f"{server.url}/healthz", timeout=20).status_code == 200
        samples = scraped(server)
        files = metrics_files(server)
        sizes = [path.stat().st_size for path in files]
    assert samples['hush_requests_total{model="",route="/healthz",status="200"}'] == 60
    assert len(files) <= 2 * (1 + 3), files
    assert sum(sizes) <= 1e6


def test_it_is_answered_while_every_slot_is_held(tmp_path: Path):
    with (
        start_gunicorn(tmp_path, HUSH_SLOTS="1", HUSH_QUEUE_LENGTH="1", HUSH_LONG_SECONDS="86400") as server,
        ThreadPoolExecutor(3) as clients,
    ):
        long = encoded(noise(240.0, 8000), 8000)
        running = [clients.submit(predict, server, long) for _ in range(3)]
        busy = wait_for(lambda: refused(scraped(server)), 30, "a refusal")
        assert busy["hush_slots_in_use"] == busy["hush_slots"] == 1
        assert busy["hush_queue_length"] == busy["hush_queue_places"] == 1
        assert sorted(future.result() for future in running) == [200, 200, 503]


def refused(samples: dict[str, float]) -> dict[str, float]:
    return samples if samples.get('hush_refusals_total{reason="queue-full"}') else {}
