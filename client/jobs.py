"""Recordings that are too long for one request: handed in as a job, asked about, fetched."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from client.errors import JobLost, Refused, Stopped
from client.options import Options
from client.service import Hush, save

FIRST_SECONDS = 0.5  # between two questions, at first
LONGEST_SECONDS = 15.0


def named_by(error: Refused) -> str | None:
    """The path where jobs are taken, which a service says when it refuses a recording for its length."""
    path = error.problem.get("jobs") if error.status == 413 else None
    return path if isinstance(path, str) else None


def enhance_as_job(hush: Hush, path: str, recording: Path, target: Path, options: Options) -> None:
    """Hands `recording` in at `path`, waits for the end, writes the answer to `target`; raises `ClientError`.

    The job is handed in under a key of its own, so that a repeated request makes no second one. Whoever stops waiting
    cancels it.
    """
    headers = {"Idempotency-Key": uuid4().hex}
    job = hush.send(path, _location, recording=recording, options=options, headers=headers)
    try:
        _wait(hush, job)
    except Stopped:
        hush.once("DELETE", job)
        raise

    def receive(answer: requests.Response) -> None:
        save(answer, target)

    hush.send(f"{job}/audio", receive, method="GET")
    hush.once("DELETE", job)  # the result is here; where this fails it expires


def _location(answer: requests.Response) -> str:
    location = answer.headers.get("Location")
    if answer.status_code != 202 or not location:
        raise Refused(answer.status_code, {}, "the service did not say where the job is")
    return location.rstrip("/")


def _wait(hush: Hush, job: str) -> None:
    pause = FIRST_SECONDS
    while True:
        found: dict[str, Any] = hush.json(job)
        state = found.get("state")
        if state == "done":
            return
        if state == "failed":
            problem = found.get("problem") or {}
            raise Refused(int(problem.get("status", 500)), problem)
        if state not in ("queued", "running"):
            raise JobLost(str(state))
        hush.sleep(pause)
        pause = min(LONGEST_SECONDS, 1.5 * pause)
