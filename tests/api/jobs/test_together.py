"""What `make run` starts: jobs work out of the box, and Ctrl-C leaves nothing behind."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import requests

from api.jobs.together import environment as chosen
from tests.api.jobs.running import WAV
from tests.api.recordings import encoded, noise
from tests.servers import ROOT, environment, wait_for

SHORT = encoded(noise(2.0))


def consumer_of(process: "subprocess.Popen[bytes]") -> psutil.Process | None:
    children = psutil.Process(process.pid).children()
    return next((child for child in children if "api.jobs.consumer" in " ".join(child.cmdline())), None)


def test_jobs_are_kept_in_the_project_unless_told_otherwise() -> None:
    assert chosen({})["HUSH_JOBS_DIR"] == str(ROOT / ".run" / "jobs")
    assert chosen({"HUSH_JOBS_DIR": "/elsewhere"})["HUSH_JOBS_DIR"] == "/elsewhere"
    assert "HUSH_JOBS_DIR" not in chosen({"HUSH_JOBS_BUCKET": "recordings", "HUSH_REDIS_URL": "redis://here"})


def test_it_serves_jobs_replaces_a_dead_consumer_and_stops(tmp_path: Path) -> None:
    log_file = tmp_path / "log"
    variables = {"HUSH_JOBS_DIR": str(tmp_path / "jobs"), "HUSH_WORKERS": "1", "HUSH_JOBS_LEASE_S": "2"}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.jobs.together"], cwd=ROOT, env=environment(**variables), stdout=log, stderr=log
        )
    family: list[psutil.Process] = []
    try:
        listening = wait_for(lambda: re.search(r"Listening at: (http://\S+)", log_file.read_text()), 90, "listening")
        wait_for(lambda: "is ready" in log_file.read_text(), 90, "a consumer")
        first = consumer_of(process)
        assert first is not None
        first.kill()
        url = listening.group(1)
        posted = wait_for(lambda: requests.post(f"{url}/jobs", data=SHORT, headers=WAV, timeout=60), 60, "an answer")
        path = posted.headers["Location"]
        wait_for(lambda: requests.get(url + path, timeout=10).json()["state"] == "done", 90, "end of the job")
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 3  # gunicorn's master, its worker, the consumer
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert [member for member in family if member.is_running()] == []
    finally:
        for member in family:
            if member.is_running():
                member.kill()
        process.kill()
        process.wait(10)
