"""Damaged MP3 files must not fill the log: the decoder's own words stay in the worker."""

import requests

from tests.servers import Server

# Frames of MPEG-2.5, layer III, 8 kbit/s, 8 kHz, mono (72 bytes), whose side information is impossible.
FRAME = b"\xff\xe3\x18\xc0" + (b"\0" + b"\xff" * 8).ljust(68, b"\x55")


def test_a_damaged_mp3_writes_nothing(gunicorn: Server):
    before = len(gunicorn.log)
    answer = requests.post(f"{gunicorn.url}/predict?model=lsa", data=FRAME * 500, timeout=60)
    assert answer.status_code in (200, 400)
    assert "mpg123" not in gunicorn.log[before:]
    assert len(gunicorn.log) - before < 500
