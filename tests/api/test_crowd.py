"""Many requests at once: their forward passes are made together, and nobody gets another one's voice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import requests

from tests.api.recordings import decoded, encoded, noise
from tests.servers import start_gunicorn

TOLERANCE_DB = -40  # the products of bf16 round differently in a batch; see decision 0057


def test_answers_of_a_crowd_are_those_of_each_alone(tmp_path: Path):
    lengths = [1.0, 0.99, 2.0, 0.9, 1.0, 3.0, 1.0, 0.5, 2.0, 1.0, 12.0, 1.0]
    bodies = [encoded(noise(length, channels=1 + index % 2, seed=index)) for index, length in enumerate(lengths)]
    with start_gunicorn(tmp_path, HUSH_WORKERS="1", HUSH_CORES="1", HUSH_SLOTS="12") as server:

        def enhanced(body: bytes) -> np.ndarray:
            answer = requests.post(f"{server.url}/predict", body, headers={"Content-Type": "audio/wav"}, timeout=60)
            assert answer.status_code == 200
            return decoded(answer.content)[0]

        alone = [enhanced(body) for body in bodies]
        with ThreadPoolExecutor(len(bodies)) as clients:
            together = list(clients.map(enhanced, bodies))
    for one, other, body in zip(alone, together, bodies, strict=True):
        assert one.shape == other.shape == decoded(body)[0].shape
        difference = np.square(one - other).sum() / np.square(decoded(body)[0]).sum()
        assert 10 * np.log10(difference + 1e-12) < TOLERANCE_DB
