"""Streamed answers of the real application come through the real gateway as they are made, and break off there too."""

import http.client
import time
from collections.abc import Iterator

import numpy as np
import pytest
import requests

from tests.api.recordings import encoded, noise
from tests.nginx.gateway import Running, gateway
from tests.servers import Server

AUDIO = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="module")
def hush(need_nginx: None, gunicorn: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """nginx in front of the test run's gunicorn."""
    with gateway(tmp_path_factory.mktemp("streaming"), f"127.0.0.1:{gunicorn.port}") as running:
        yield running


def test_the_first_byte_comes_long_before_the_last(hush: Running) -> None:
    audio = encoded(np.tile(noise(60.0), (20, 1)))  # 20 minutes
    connection = http.client.HTTPConnection("127.0.0.1", hush.port, timeout=60)
    connection.request("POST", "/predict?stream=true", audio, AUDIO)
    sent = time.monotonic()
    answer = connection.getresponse()
    first = answer.read(1000)
    delay = time.monotonic() - sent
    rest = answer.read()
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "X-Accel-Buffering" not in answer.headers  # meant for nginx
    assert len(first) + len(rest) == len(audio)
    assert delay < 1.0
    assert delay < 0.5 * (time.monotonic() - sent)
    connection.close()


def test_an_answer_that_breaks_off_does_so_for_the_client(hush: Running) -> None:
    samples = noise(50.0)
    samples[30 * 16000] = np.nan
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.post(
            f"{hush.url}/predict?stream=true", data=encoded(samples, subtype="FLOAT"), headers=AUDIO, timeout=60
        )
