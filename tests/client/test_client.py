"""The client against a server that misbehaves on purpose: retries, waits, refusals, interruptions."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from client import ClientError, Hush, JobLost, Options, Patience, Refused, Stopped, Unreachable
from client.__main__ import main
from client.patience import retry_after
from client.recordings import tasks
from tests.client.scripted import MODELS, Says, Scripted, scripted
from tests.servers import ROOT, wait_for

JSON = {"Content-Type": "application/json"}
PREDICT, GET_MODELS = ("POST", "/predict"), ("GET", "/models")
QUICK = Patience(tries=4, first_s=0.01, longest_s=0.05, longest_asked_s=5)
BUSY = Says(503, b'{"detail": "busy"}', {**JSON, "Retry-After": "1"})


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "call.wav"
    path.write_bytes(b"noisy")
    return path


def hush(server: Scripted, **options: str) -> Hush:
    return Hush(server.url, patience=QUICK, **options)  # type: ignore[arg-type]


def test_it_waits_as_long_as_it_is_asked_to(recording: Path):
    with scripted({PREDICT: [BUSY, BUSY, Says(body=b"clean")]}) as server:
        start = time.monotonic()
        assert hush(server).enhance(recording) == b"clean"
        assert 2.0 <= time.monotonic() - start < 10
        assert [body for _, _, _, body in server.asked] == [b"noisy"] * 3  # the whole recording each time


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_without_a_word_it_waits_by_itself(recording: Path, status: int):
    with scripted({PREDICT: [Says(status, b"x"), Says(body=b"clean")]}) as server:
        assert hush(server).enhance(recording) == b"clean"


def test_answers_that_break_off_are_asked_for_again(recording: Path, tmp_path: Path):
    with scripted({PREDICT: [Says(body=b"cl", cut=3), Says(body=b"clean")]}) as server:
        hush(server).enhance_file(recording, tmp_path / "out.wav")
    assert (tmp_path / "out.wav").read_bytes() == b"clean"


def test_it_gives_up_after_so_many_tries(recording: Path, tmp_path: Path):
    with scripted({PREDICT: [Says(502, b"{}", JSON)]}) as server:
        with pytest.raises(Unreachable, match="4 tries: 502"):
            hush(server).enhance_file(recording, tmp_path / "out.wav")
        assert len(server.asked) == 4
    assert not list(tmp_path.glob("*out*"))


def test_it_does_not_wait_for_hours(recording: Path):
    never = Says(503, b"{}", {"Retry-After": "3600"})
    with scripted({PREDICT: [never]}) as server, pytest.raises(Unreachable, match="1 try"):
        hush(server).enhance(recording)


def test_nobody_there_is_tried_again_and_said():
    with scripted({}) as server:
        url = server.url
    heard: list[str] = []
    with pytest.raises(Unreachable, match="4 tries"):
        Hush(url, patience=QUICK, notice=heard.append).models()
    assert len(heard) == 3
    assert "next try in" in heard[0]


@pytest.mark.parametrize(
    ("says", "text"),
    [
        (Says(400, b'{"detail": "The file is empty."}', JSON), "400: The file is empty."),
        (Says(404, b"<html>", {}), "404: no reason"),
        (Says(302, b"", {"Location": "http://elsewhere.example/"}), "302: http://elsewhere"),
        (Says(200, b"<html>", {"Content-Type": "text/html"}), "not audio"),
    ],
)
def test_refusals_are_not_repeated(recording: Path, tmp_path: Path, says: Says, text: str):
    with scripted({PREDICT: [says]}) as server:
        with pytest.raises(Refused, match=text):
            hush(server).enhance_file(recording, tmp_path / "out.wav")
        assert len(server.asked) == 1
    assert not list(tmp_path.glob("*out*"))


def test_options_and_key_are_sent(recording: Path):
    with scripted({PREDICT: [Says()]}) as server:
        options = Options(model="dae", format="flac", attenuation_limit_db=6.0)
        hush(server, api_key="secret").enhance(recording, options)
        _, path, headers, _ = server.asked[0]
    assert path == "/predict?model=dae&format=flac&attenuation_limit_db=6.0"
    assert headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize("url", ["voice.example.org", "ftp://x", ""])
def test_addresses_that_are_none(url: str):
    with pytest.raises(ValueError, match="no address"):
        Hush(url)


def test_waiting_is_drawn_between_nothing_and_twice_as_much_each_time():
    patience = Patience(tries=9, first_s=1, longest_s=10)
    for tried, most in ((1, 1), (2, 2), (4, 8), (8, 10)):
        drawn = [patience.wait(tried, None) for _ in range(200)]
        assert all(wait is not None and 0 <= wait <= most for wait in drawn)
        assert max(wait for wait in drawn if wait is not None) > 0.7 * most
    assert patience.wait(9, None) is None
    asked = [patience.wait(1, 10) for _ in range(200)]
    assert all(wait is not None and 10 <= wait <= 11.1 for wait in asked)


def test_retry_after_is_read_in_both_forms():
    moment = datetime.now(UTC) + timedelta(seconds=30)
    assert retry_after("7") == 7
    assert retry_after(format_datetime(moment, usegmt=True)) == pytest.approx(30, abs=3)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert [retry_after(text) for text in (None, "", "soon", "-1")] == [None] * 4


# ---- Jobs ------------------------------------------------------------------------------------------------------------

TOO_LONG = Says(413, b'{"detail": "too long", "jobs": "/jobs"}', JSON)
TAKEN = Says(202, b"{}", {**JSON, "Location": "/jobs/7"})


def state(name: str, **more: object) -> Says:
    return Says(200, json.dumps({"state": name, **more}).encode(), JSON)


def job(*states: Says) -> dict[tuple[str, str], list[Says]]:
    return {
        GET_MODELS: [Says(200, MODELS, JSON)],
        PREDICT: [TOO_LONG],
        ("POST", "/jobs"): [BUSY, TAKEN],
        ("GET", "/jobs/7"): list(states),
        ("GET", "/jobs/7/audio"): [Says(body=b"clean")],
        ("DELETE", "/jobs/7"): [Says(200, b"{}", JSON)],
    }


def test_long_recordings_become_jobs(recording: Path, tmp_path: Path):
    script = job(state("queued", position=2), state("running", progress=0.5), state("done"))
    with scripted(script) as server:
        assert main([str(recording), "--url", server.url, "--out", str(tmp_path / "o"), "--jobs"]) == 0
        assert server.paths()[-1] == ("DELETE", "/jobs/7")
        keys = {headers["Idempotency-Key"] for _, path, headers, _ in server.asked if path == "/jobs"}
        assert len(keys) == 1  # the repeated request makes no second job
    assert (tmp_path / "o" / "call.wav").read_bytes() == b"clean"


def test_without_the_option_they_fail_and_say_so(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with scripted(job(state("done"))) as server:
        assert main([str(recording), "--url", server.url, "--out", str(tmp_path / "o")]) == 1
    assert "413: too long With --jobs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (state("failed", problem={"status": 400, "detail": "The file is truncated."}), "400: The file is truncated."),
        (state("cancelled"), "cancelled"),
        (state("expired"), "expired"),
        (Says(410, b'{"detail": "gone"}', JSON), "410: gone"),
    ],
)
def test_jobs_that_end_without_a_result(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], end: Says, text: str
):
    with scripted(job(state("running"), end)) as server:
        assert main([str(recording), "--url", server.url, "--out", str(tmp_path / "o"), "--jobs"]) == 1
    assert text in capsys.readouterr().err
    assert not list(tmp_path.glob("o/*"))


def test_a_job_elsewhere_is_not_asked_for(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    script = job(state("done"))
    script["POST", "/jobs"] = [Says(202, b"{}", {"Location": "http://elsewhere.example/jobs/7"})]
    with scripted(script) as server:
        assert main([str(recording), "--url", server.url, "--out", str(tmp_path / "o"), "--jobs"]) == 1
    assert "sent us elsewhere" in capsys.readouterr().err


# ---- Command ---------------------------------------------------------------------------------------------------------


def test_an_unknown_model_or_service_ends_it_at_once(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with scripted({GET_MODELS: [Says(200, MODELS, JSON)], PREDICT: [Says()]}) as server:
        assert main([str(recording), "--url", server.url, "--out", str(tmp_path / "o"), "--model", "nope"]) == 2
        assert "it has dae" in capsys.readouterr().err
        assert main([str(tmp_path / "absent"), "--url", server.url, "--out", str(tmp_path / "o")]) == 2
        assert main([str(recording), "--url", "nowhere", "--out", str(tmp_path / "o")]) == 2
        assert server.paths() == [GET_MODELS]
    with scripted({GET_MODELS: [Says(200, b'{"hello": 1}', JSON)]}) as server:
        assert main([str(recording), "--url", server.url, "--out", str(tmp_path / "o")]) == 2
        assert "does not come from a Hush service" in capsys.readouterr().err


def test_ctrl_c_ends_the_waiting(recording: Path, tmp_path: Path):
    patient = Says(503, b"{}", {"Retry-After": "300"})
    with scripted({GET_MODELS: [Says(200, MODELS, JSON)], PREDICT: [patient]}) as server:
        command = [sys.executable, "-m", "client", str(recording), "--url", server.url, "--out", str(tmp_path / "o")]
        # A shell starts what runs in its background deaf to SIGINT, and the tests may be started so.
        deaf = signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        finally:
            signal.signal(signal.SIGINT, deaf)
        wait_for(lambda: PREDICT in server.paths(), 30, "a request")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "goes on where this one ended" in said


def test_a_stopped_service_waits_no_more(recording: Path):
    with scripted({PREDICT: [BUSY]}) as server:
        stopped = hush(server)
        stopped.stop()
        with pytest.raises(Stopped):
            stopped.enhance(recording)


def test_errors_have_one_root():
    assert all(issubclass(kind, ClientError) for kind in (JobLost, Refused, Stopped, Unreachable))


# ---- Files -----------------------------------------------------------------------------------------------------------


def test_the_tree_is_mirrored_and_nothing_collides(tmp_path: Path):
    for name in ("in/a.wav", "in/a.mp3", "in/sub/b.FLAC", "in/notes.txt", "in/out/done.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    out = tmp_path / "in" / "out"
    made = {
        str(task.source.relative_to(tmp_path)): str(task.target.relative_to(out))
        for task in tasks([tmp_path / "in"], out, ".flac")
    }
    assert made == {"in/a.wav": "a.wav.flac", "in/a.mp3": "a.mp3.flac", "in/sub/b.FLAC": "sub/b.flac"}
    with pytest.raises(ValueError, match="several"):
        tasks([tmp_path / "in" / "a.wav", tmp_path / "in" / "a.wav"], out, ".wav")
    with pytest.raises(FileNotFoundError, match="no recording"):
        tasks([out], out, ".wav")
