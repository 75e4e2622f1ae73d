"""The small pieces: the stage clock, spools, negotiation, the worker's own error answers."""

import io
import time

import pytest
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from api import problems
from api.errors import NotAcceptable
from api.requests import acceptable, wanted_format
from api.spool import Spooler
from api.timing import StageClock


def test_nested_stages_are_counted_for_the_inner_one():
    clock = StageClock()

    def decoded():
        for _ in range(3):
            time.sleep(0.02)
            yield 1

    def enhanced():
        for item in clock.during("decode", decoded()):
            time.sleep(0.01)
            yield item

    for _ in clock.during("enhance", enhanced()):
        time.sleep(0.03)  # belongs to no stage
        with clock.stage("encode"):
            time.sleep(0.005)
    assert clock.seconds["queue"] == 0.0
    assert 0.06 <= clock.seconds["decode"] < 0.09
    assert 0.03 <= clock.seconds["enhance"] < 0.06
    assert 0.015 <= clock.seconds["encode"] < 0.03
    assert clock.header().startswith("parse;dur=0.0, queue;dur=0.0, decode;dur=")


def test_a_stage_ends_with_an_exception():
    clock = StageClock()
    with pytest.raises(ValueError, match="x"), clock.stage("decode"):
        raise ValueError("x")
    time.sleep(0.02)
    with clock.stage("encode"):
        pass
    assert clock.seconds["decode"] < 0.01


def test_a_spool_has_a_descriptor_only_on_disk(tmp_path):
    with Spooler(10, tmp_path)() as spool:
        spool.write(b"0123456789")
        with pytest.raises(io.UnsupportedOperation):
            spool.fileno()
        spool.write(b"x")
        assert spool.fileno() > 0
        assert spool.size() == 11
        assert spool.read() == b"0123456789x"
        assert list(tmp_path.iterdir()) == []  # it has no name
    with Spooler(0, tmp_path)() as spool:
        spool.write(b"ab")
        assert spool.fileno() > 0


def accept(header: str) -> MIMEAccept:
    return parse_accept_header(header, MIMEAccept)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("", "wav"),
        ("*/*", "wav"),
        ("audio/*", "wav"),
        ("audio/x-wav", "wav"),
        ("audio/flac", "flac"),
        ("application/ogg", "ogg"),
        ("audio/mp3", "mp3"),
        ("audio/wav;q=0.2, audio/mpeg;q=0.9", "mp3"),
        ("text/html, audio/ogg;q=0.1", "ogg"),
        ("audio/wav;q=0, audio/flac", "flac"),
    ],
)
def test_negotiation(header, name):
    assert wanted_format(None, accept(header)).name == name


@pytest.mark.parametrize("header", ["text/html", "audio/aac", "audio/wav;q=0"])
def test_nothing_acceptable(header):
    with pytest.raises(NotAcceptable):
        wanted_format(None, accept(header))


def test_evidence_never_replaces_the_standard_members():
    document = problems.document(400, "why", {"status": 7, "extra": (1, 2)}, kind="urn:x", title="T")
    assert document == b'{"type": "urn:x", "title": "T", "status": 400, "detail": "why", "extra": [1, 2]}'


def test_the_first_offer_wins_among_equals():
    assert acceptable(accept("*/*"), ("b/b", "a/a")) == "b/b"
