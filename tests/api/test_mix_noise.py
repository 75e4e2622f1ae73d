"""`POST /mix-noise` through the real server."""

from pathlib import Path

import numpy as np
import pytest
import requests

from inference.speech_level import active_speech_level
from tests.api.recordings import decoded, encoded, noise


def mixed(server: str, audio: bytes, query: str) -> requests.Response:
    answer = requests.post(f"{server}/mix-noise?{query}", files={"audio_file": ("voice.wav", audio)}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0, 20.0])
def test_the_ratio_is_the_one_asked_for(server: str, clips: Path, snr_db: float):
    audio = (clips / "voice.wav").read_bytes()
    speech, rate = decoded(audio)
    answer = mixed(server, audio, f"noise_type=pink&snr_db={snr_db}&seed=3")
    result, result_rate = decoded(answer.content)
    assert (result_rate, result.shape) == (rate, speech.shape)
    gain = 10 ** (float(answer.headers["X-Gain-Db"]) / 20)
    added = result / gain - speech
    found = 10 * np.log10(active_speech_level(speech, rate).power / np.mean(np.square(added, dtype=np.float64)))
    assert abs(found - snr_db) < 0.1
    assert answer.headers["X-Clipped-Samples"] == "0"
    assert answer.headers["Content-Disposition"] == "attachment; filename=noisy.wav"


def test_a_seed_repeats_and_no_seed_does_not(server: str):
    audio = encoded(noise(0.5))
    first = mixed(server, audio, "noise_type=white&seed=7")
    assert first.headers["X-Seed"] == "7"
    assert mixed(server, audio, "noise_type=white&seed=7").content == first.content
    drawn = mixed(server, audio, "noise_type=white")
    assert drawn.content != mixed(server, audio, "noise_type=white").content
    assert mixed(server, audio, f"noise_type=white&seed={drawn.headers['X-Seed']}").content == drawn.content


def test_case_does_not_matter_and_ten_decibels_are_the_default(server: str):
    audio = encoded(noise(0.5))
    plain = mixed(server, audio, "noise_type=white&seed=7&snr_db=10")
    assert mixed(server, audio, "noise_type=WhiTe&seed=7").content == plain.content


def test_loud_speech_is_scaled_and_says_so(server: str):
    loud = noise(0.5, channels=2)
    loud /= np.abs(loud).max()
    answer = mixed(server, encoded(loud), "noise_type=white&snr_db=0&seed=1")
    assert float(answer.headers["X-Gain-Db"]) < -0.5
    assert answer.headers["X-Clipped-Samples"] == "0"
    assert decoded(answer.content)[0].shape == loud.shape


def test_every_type_and_format(server: str):
    types = requests.get(f"{server}/noise-types", timeout=30).json()["noise_types"]
    assert {"white", "pink", "brown", "blue", "hum", "babble"} <= set(types)
    audio = encoded(noise(0.3))
    for noise_type in types:
        answer = mixed(server, audio, f"noise_type={noise_type}&format=flac")
        assert answer.headers["Content-Type"] == "audio/flac"
        assert answer.headers["Content-Disposition"] == "attachment; filename=noisy.flac"


def test_silence_has_no_ratio(server: str):
    silent = encoded(np.zeros((8000, 1), np.float32))
    answer = requests.post(f"{server}/mix-noise?noise_type=white", files={"audio_file": silent}, timeout=30)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:hush:problem:empty-audio")
