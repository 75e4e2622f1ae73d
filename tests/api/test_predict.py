"""`POST /predict` through the real server: both forms of upload, every model, formats, rates, channels, headers."""

import re
from pathlib import Path

import numpy as np
import pytest
import requests

from inference.enhancer import Enhancer, enhance
from inference.store import ModelStore, load_store
from tests.api.recordings import decoded, encoded, noise
from tests.servers import ROOT, Server

KEYS = sorted(load_store(ROOT / "models").models)
MAGIC = {"wav": b"RIFF", "flac": b"fLaC", "ogg": b"OggS"}
MEDIA_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "mp3": "audio/mpeg"}


def post(server: str, audio: bytes, query: str = "", **headers: str) -> requests.Response:
    headers = {"Content-Type": "audio/wav", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return requests.post(f"{server}/predict{query}", data=audio, headers=headers, timeout=60)


@pytest.mark.parametrize("key", KEYS)
def test_a_recording_comes_back_enhanced_by_every_model(server: str, clips: Path, models: ModelStore, key: str):
    audio = (clips / "noisy.wav").read_bytes()
    answer = requests.post(f"{server}/predict?model={key}", files={"audio_file": ("call.wav", audio)}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["Content-Disposition"] == "attachment; filename=enhanced.wav"
    assert answer.headers["X-Model"] == key
    assert answer.headers["X-Model-Version"] == models.models[key].info.version
    assert answer.headers["X-Clipped-Samples"] == "0"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    noisy, rate = decoded(audio)
    enhanced, enhanced_rate = decoded(answer.content)
    assert (enhanced_rate, enhanced.shape) == (rate, noisy.shape)
    library = np.concatenate(list(enhance([noisy], Enhancer(models.models[key], rate=rate, channels=1))))
    np.testing.assert_allclose(enhanced, library, atol=1.5 / 32768)


def test_both_forms_of_upload_give_the_same(server: str, clips: Path):
    audio = (clips / "noisy.wav").read_bytes()
    in_form = requests.post(f"{server}/predict?model=lsa", files={"audio_file": audio}, timeout=60)
    bare = post(server, audio, "?model=lsa")
    chunked = requests.post(
        f"{server}/predict?model=lsa",
        data=iter([audio[:7], audio[7:]]),
        headers={"Content-Type": "audio/wav"},
        timeout=60,
    )
    untyped = post(server, audio, "?model=lsa", Content_Type="application/octet-stream")
    assert in_form.status_code == 200
    assert in_form.content == bare.content == chunked.content == untyped.content


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 3), (44100, 1), (44100, 2), (48000, 1), (192000, 2)])
def test_rate_channels_and_length_stay(server: str, rate: int, channels: int):
    samples = noise(0.801, rate, channels)
    enhanced, enhanced_rate = decoded(post(server, encoded(samples, rate), "?model=lsa").content)
    assert (enhanced_rate, enhanced.shape) == (rate, samples.shape)


def test_a_stereo_flac_stays_one(server: str, clips: Path):
    audio = (clips / "noisy_48k_stereo.flac").read_bytes()
    answer = post(server, audio, "?model=lsa&format=flac")
    noisy, _ = decoded(audio)
    enhanced, rate = decoded(answer.content)
    assert (rate, enhanced.shape) == (48000, noisy.shape)


@pytest.mark.parametrize("name", sorted(MEDIA_TYPES))
@pytest.mark.parametrize("way", ["query", "accept"])
def test_format_of_the_answer(server: str, name: str, way: str):
    audio = encoded(noise(0.5))
    answer = post(server, audio, f"?format={name}") if way == "query" else post(server, audio, Accept=MEDIA_TYPES[name])
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == MEDIA_TYPES[name]
    assert answer.headers["Content-Disposition"] == f"attachment; filename=enhanced.{name}"
    assert "Accept" in answer.headers["Vary"]
    assert answer.content.startswith(MAGIC.get(name, answer.content[:1]))
    assert decoded(answer.content)[1] == 16000


def test_the_query_wins_over_the_accept_header(server: str):
    answer = post(server, encoded(noise(0.1)), "?format=flac", Accept="audio/ogg")
    assert answer.headers["Content-Type"] == "audio/flac"


def test_sample_rate_of_the_model(server: str):
    enhanced, rate = decoded(post(server, encoded(noise(1.0, 48000), 48000), "?sample_rate=model").content)
    assert (rate, len(enhanced)) == (16000, 16000)


def test_an_attenuation_limit_of_zero_changes_nothing(server: str):
    samples = noise(0.5)
    limited, _ = decoded(post(server, encoded(samples), "?attenuation_limit_db=0").content)
    free, _ = decoded(post(server, encoded(samples)).content)
    assert np.abs(limited - samples).max() < 1e-3
    assert np.std(free) < 0.7 * np.std(samples)


def test_depth_is_kept(server: str):
    answer = post(server, encoded(noise(0.1), subtype="FLOAT"))
    assert int.from_bytes(answer.content[20:22], "little") == 3  # WAVE_FORMAT_IEEE_FLOAT


def test_server_timing_adds_up(server: str):
    answer = post(server, encoded(noise(4.0)))
    stages = dict(re.findall(r"(\w+);dur=([0-9.]+)", answer.headers["Server-Timing"]))
    assert list(stages) == ["parse", "queue", "decode", "enhance", "encode"]
    milliseconds = [float(value) for value in stages.values()]
    assert float(stages["enhance"]) > 1
    assert sum(milliseconds) <= 1000 * answer.elapsed.total_seconds()


def test_uploads_and_answers_go_through_files_unchanged(server: str, spooling: tuple[Server, Path]):
    """On one server they stay in memory, on the other they are files, which the kernel sends."""
    on_disk, folder = spooling
    audio = encoded(noise(8.0, 48000, 2), 48000)
    from_memory = post(server, audio)
    from_disk = post(on_disk.url, audio)
    in_form = requests.post(f"{on_disk.url}/predict", files={"audio_file": audio}, timeout=60)
    assert len(from_memory.content) == len(audio)
    assert from_disk.content == from_memory.content == in_form.content
    assert list(folder.iterdir()) == []


def test_one_connection_serves_many_requests(gunicorn: Server):
    audio = encoded(noise(0.1))
    with requests.Session() as session:
        for _ in range(5):
            answer = session.post(
                f"{gunicorn.url}/predict", data=audio, headers={"Content-Type": "audio/wav"}, timeout=60
            )
            assert answer.status_code == 200
            assert answer.headers["Connection"] == "keep-alive"
