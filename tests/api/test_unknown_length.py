"""Recordings that do not say how long they are: refused before anything is enhanced, or served as all others."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
import soundfile
from flask.testing import FlaskClient

from tests.api.conftest import Make
from tests.api.recordings import encoded, noise
from tests.inference.files import without_total, without_xing
from tests.servers import start_gunicorn, wait_for

LIMIT = 12.0  # seconds
LONG = without_total(encoded(noise(2 * LIMIT), container="FLAC"))
SHORT = without_total(encoded(noise(0.5 * LIMIT), container="FLAC"))
ENHANCED = re.compile(r'^hush_stage_seconds_sum\{stage="enhance"\} (\S+)$', re.MULTILINE)


def enhancing(client: FlaskClient) -> float:
    """Seconds spent so far on enhancing (and mixing)."""
    found = ENHANCED.search(client.get("/metrics").text)
    return float(found.group(1)) if found else 0.0


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        ("/predict", LONG),
        ("/predict?stream=true", LONG),
        ("/mix-noise?noise_type=white", LONG),
        ("/predict", without_xing(encoded(noise(8 * LIMIT), container="MP3"))),
    ],
)
def test_too_long_is_refused_before_anything_is_enhanced(make_client: Make, path: str, recording: bytes):
    client = make_client(max_seconds=LIMIT, mix_max_seconds=LIMIT)
    answer = client.post(path, data=recording, content_type="audio/flac", buffered=True)
    assert (answer.status_code, answer.get_json()["type"]) == (413, "urn:hush:problem:audio-too-long")
    assert answer.get_json()["seconds_limit"] == LIMIT
    assert enhancing(client) == 0.0
    assert client.post(path, data=SHORT, content_type="audio/flac", buffered=True).status_code == 200
    assert enhancing(client) > 0.0


def test_damage_is_found_before_as_well(make_client: Make):
    client = make_client(max_seconds=LIMIT)
    answer = client.post(
        "/predict?stream=true", data=SHORT[:-3000] + bytes(3000), content_type="audio/flac", buffered=True
    )
    assert (answer.status_code, answer.get_json()["type"]) == (400, "urn:hush:problem:not-audio")
    assert enhancing(client) == 0.0


def test_the_answer_is_that_to_the_same_recording_with_its_length(server: str):
    said = encoded(noise(7.0), container="FLAC")
    answers = [
        requests.post(f"{server}/predict{query}", data=data, headers={"Content-Type": "audio/flac"}, timeout=60)
        for data in (said, without_total(said))
        for query in ("", "?stream=true")
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.content for answer in answers}) == 1, "also the length in the header of the streamed one"


def test_a_short_one_is_no_long_work(make_client: Make):
    """By its bytes it might be longer; by its length it is not."""
    client = make_client(long_seconds=5.0, long_requests=1, slots=1)
    admission = client.application.extensions["admission"]
    voice = without_total(encoded(noise(4.0), container="FLAC"))
    assert len(voice) / 2000 > 5.0
    with admission.slot() as turn:
        turn.become_long()
        turn.leave()
        answers = [
            client.post("/predict", data=data, content_type="audio/flac", buffered=True) for data in (voice, LONG)
        ]
        turn.come_back()
    assert [answer.status_code for answer in answers] == [200, 503]
    assert answers[1].get_json()["cause"] == "long-work"


def test_counting_gives_way(tmp_path: Path):
    """One slot: a clip does not wait until minutes of many channels have been counted."""
    headers = {"Content-Type": "audio/flac"}
    wide = io.BytesIO()
    with soundfile.SoundFile(wide, "w", 192_000, 8, "PCM_16", format="FLAC") as sound:
        for _ in range(36):
            sound.write(np.zeros((1_920_000, 8), np.int16))
    with start_gunicorn(tmp_path, HUSH_SLOTS="1", HUSH_MAX_SECONDS="300") as server, ThreadPoolExecutor(1) as clients:
        url = f"{server.url}/predict"
        too_long = clients.submit(requests.post, url, data=without_total(wide.getvalue()), headers=headers, timeout=60)
        wait_for(
            lambda: "hush_slots_in_use 1" in requests.get(f"{server.url}/metrics", timeout=10).text, 10, "counting"
        )
        clip = requests.post(url, data=encoded(noise(0.1), container="FLAC"), headers=headers, timeout=60)
        assert not too_long.done()
        assert (clip.status_code, too_long.result().status_code) == (200, 413)
