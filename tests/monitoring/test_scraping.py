"""A real Prometheus with the project's rules scrapes a real server, and answers every question of the dashboard."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.api.recordings import encoded, noise
from tests.nginx.gateway import free_port
from tests.servers import ROOT, Server, wait_for

PROMETHEUS = shutil.which("prometheus")
DASHBOARD = json.loads((ROOT / "monitoring" / "dashboard.json").read_text())


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Its address; it scrapes `target` each second and evaluates the rules."""
    config = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    rules = (ROOT / "monitoring" / "alerts.yml").read_text()
    (folder / "alerts.yml").write_text(rules.replace("interval: 5m", "interval: 1s"))
    config["scrape_configs"][0]["scrape_timeout"] = "1s"
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [str(PROMETHEUS), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=log)
    try:
        wait_for(lambda: is_ready(port), 30, "readiness of Prometheus")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def asked(url: str, query: str) -> list[dict[str, Any]]:
    """The result; AssertionError with Prometheus' words for a query that it does not understand."""
    answer = requests.get(f"{url}/api/v1/query", params={"query": query}, timeout=10).json()
    assert answer["status"] == "success", f"{query}: {answer.get('error')}"
    return list(answer["data"]["result"])


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian: apt-get install prometheus)")
def test_prometheus_scrapes_the_server_and_understands_the_dashboard(gunicorn: Server, tmp_path: Path):
    audio = encoded(noise(1.0))
    for _ in range(3):
        headers = {"Content-Type": "audio/wav"}
        assert requests.post(f"{gunicorn.url}/predict", data=audio, headers=headers, timeout=30).status_code == 200
    with prometheus(tmp_path, gunicorn.url.removeprefix("http://")) as url:
        wait_for(lambda: asked(url, "up == 1"), 30, "a scrape")
        wait_for(lambda: asked(url, "hush:quality_reference"), 30, "an evaluation of the rules")
        served = asked(url, 'sum(hush_requests_total{route="/predict", status="200"})')
        assert float(served[0]["value"][1]) >= 3
        for panel in DASHBOARD["panels"]:
            for target in panel.get("targets", []):
                query = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
                asked(url, query.replace("$feature", "level_dbfs"))
        assert asked(url, "hush_slots")
        assert asked(url, "hush_model_info")
        assert asked(url, 'ALERTS{alertname=~"HushDown|HushStuck"}') == []
        groups = requests.get(f"{url}/api/v1/rules", timeout=10).json()["data"]["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
