"""Bad input, row by row: what is sent and what it must be answered with."""

import numpy as np

from tests.api.recordings import FORM_TYPE, encoded, form, noise

GOOD = encoded(noise(0.2))


def nan() -> bytes:
    samples = noise(0.2)
    samples[1234] = np.nan
    return encoded(samples, subtype="FLOAT")


def enormous() -> bytes:
    samples = noise(0.2)
    samples[1234] = 1e30  # its energy is infinite in float32
    return encoded(samples, subtype="FLOAT")


FLAC = encoded(noise(1.0), container="FLAC")
AUDIO_ROWS = {
    "empty file": (b"", 400, "empty-audio", ["empty"]),
    "truncated wav": (GOOD[:-2000], 400, "truncated-audio", ["promises", "are there"]),
    "truncated flac": (FLAC[: len(FLAC) // 2], 400, "truncated-audio", ["promises"]),
    "text": (b"hello, this is not audio at all" * 10, 400, "not-audio", ["decoded"]),
    "zip": (b"PK\x03\x04" + bytes(200), 400, "not-audio", ["decoded"]),
    "nan": (nan(), 400, "non-finite-audio", ["1234"]),
    "enormous": (enormous(), 400, "non-finite-audio", ["1234"]),
    "no samples": (encoded(noise(0.0)), 400, "empty-audio", ["samples"]),
    "rate too low": (encoded(noise(0.2, 4000), 4000), 400, "unsupported-shape", ["4000"]),
    "m4a": (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100), 415, "unsupported-codec", ["AAC", "FLAC", "MP3"]),
    "webm": (b"\x1a\x45\xdf\xa3" + bytes(100), 415, "unsupported-codec", ["WebM", "WAV"]),
    "aiff": (encoded(noise(0.2), container="AIFF"), 415, "unsupported-codec", ["AIFF"]),
    "too short": (encoded(noise(0.01)), 422, "audio-too-short", ["160", "512"]),
}

NO_FILE = {
    "no body": (b"", {}, "no body"),
    "empty bare body": (b"", {"Content-Type": "audio/wav"}, "no body"),
    "empty form": (b"--b0und--\r\n", {"Content-Type": FORM_TYPE}, "no field audio_file"),
    "other field": (form(GOOD, field="file"), {"Content-Type": FORM_TYPE}, "no field audio_file"),
    "text field": (form(b"call.wav", filename=None), {"Content-Type": FORM_TYPE}, "text, not a file"),
    "nothing chosen": (form(b"", filename=""), {"Content-Type": FORM_TYPE}, "no file was chosen"),
}

BROKEN_FORMS = {
    "no boundary": (form(GOOD), "multipart/form-data"),
    "boundary not ascii": (form(GOOD), 'multipart/form-data; boundary="\xe4"'),
    "other boundary": (form(GOOD), "multipart/form-data; boundary=other"),
    "cut off": (form(GOOD)[:-100], FORM_TYPE),
    "no headers": (b"--b0und\r\n\r\n\r\n", FORM_TYPE),
}

QUERIES = {
    "/predict?format=aac": "format",
    "/predict?sample_rate=8000": "sample_rate",
    "/predict?attenuation_limit_db=-1": "attenuation_limit_db",
    "/predict?attenuation_limit_db=nan": "attenuation_limit_db",
    "/predict?attenuation_limit_db=lots": "attenuation_limit_db",
    "/predict?modle=lsa": "modle",
    "/mix-noise": "noise_type",
    "/mix-noise?noise_type=white&snr_db=loud": "snr_db",
    "/mix-noise?noise_type=white&snr_db=1e9": "snr_db",
    "/mix-noise?noise_type=white&snr_db=inf": "snr_db",
    "/mix-noise?noise_type=white&seed=-1": "seed",
    "/mix-noise?noise_type=white&seed=1.5": "seed",
    "/mix-noise?noise_type=white&seed=" + "9" * 30: "seed",
    "/mix-noise?noise_type=white&model=lsa": "model",
}
