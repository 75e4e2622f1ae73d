"""Requests that the master serves to itself before it forks, so that the workers share what serving takes.

What Python and its libraries set up when something happens for the first time (modules, caches, specialised bytecode)
is made once and stays in shared pages, and no client is the first one. Nothing of it is counted, kept or logged.
"""

import io
from dataclasses import replace

import numpy as np
import soundfile
from flask.testing import FlaskClient

from api.app import create_app, make_admission
from api.metrics import Labels, Metrics
from api.requests import FIELD
from api.settings import Settings
from inference.noise import NoiseLibrary
from inference.store import ModelStore

RATES = (16000, 48000)  # Hz
FORMATS = ("wav", "flac", "ogg", "mp3")
TIMES = 2  # with both rates and both forms of upload: eight requests a format; CPython specialises after eight runs


class _Uncounted(Metrics):
    """Forgets everything."""

    def __init__(self) -> None:
        pass

    def count(self, name: str, labels: Labels = (), amount: float = 1.0) -> None:
        pass

    def observe(self, name: str, value: float, labels: Labels = ()) -> None:
        pass


def rehearse(settings: Settings, models: ModelStore, noises: NoiseLibrary) -> None:
    """Serves short recordings in every format, bare and in forms, by an application of its own that shares nothing."""
    alone = replace(
        settings,
        access_log=False,
        api_keys_file=None,
        cache_bytes=0,
        cors_origins=(),
        jobs_bucket=None,
        jobs_dir=None,
        otlp_endpoint=None,
        quality_share=1.0,
        trusted_proxies=0,
    )
    admission = make_admission(alone)
    try:
        client = create_app(alone, models, noises, _Uncounted(), admission).test_client()
        for rate in RATES:
            recording = _recording(rate)
            for format in FORMATS * TIMES:
                _send(client, format, recording, "audio/wav")
                _send(client, format, {FIELD: (io.BytesIO(recording), "a.wav")}, "multipart/form-data")
    finally:
        admission.close()


def _send(client: FlaskClient, format: str, body: object, content_type: str) -> None:
    with client.post("/predict", query_string={"format": format}, data=body, content_type=content_type) as answer:
        answer.get_data()


def _recording(rate: int) -> bytes:
    """Half a second of noise as a WAV file."""
    file = io.BytesIO()
    samples = np.random.default_rng(0).normal(0.0, 0.1, rate // 2)
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
