"""Recordings made on the spot, as bytes."""

import io

import numpy as np
import soundfile

from inference.samples import Samples


def noise(seconds: float, rate: int = 16000, channels: int = 1, level: float = 0.1, seed: int = 1) -> Samples:
    """White noise, float32 [frames, channels]."""
    frames = round(seconds * rate)
    return np.random.default_rng(seed).normal(0.0, level, (frames, channels)).astype(np.float32)


def encoded(samples: Samples, rate: int = 16000, container: str = "WAV", subtype: str | None = None) -> bytes:
    """The samples as a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def decoded(file: bytes) -> tuple[Samples, int]:
    """Samples float32 [frames, channels] and rate of a file."""
    samples, rate = soundfile.read(io.BytesIO(file), dtype="float32", always_2d=True)
    return samples, rate


def form(
    content: bytes, *, field: str = "audio_file", filename: str | None = "a.wav", boundary: str = "b0und"
) -> bytes:
    """A multipart body with one part, spelled out so that tests can break it."""
    name = "" if filename is None else f'; filename="{filename}"'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{name}\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


FORM_TYPE = "multipart/form-data; boundary=b0und"
