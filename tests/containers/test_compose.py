"""compose.yaml brought up by an engine, used, killed, updated, stopped and taken down as docs/containers.md says.

`make test-containers`; minutes, root. The tests follow each other on one set of containers.
"""

import http.client
import io
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.aws import free_port
from tests.cloud.machines import wait_for
from tests.cloud.programs import ROOT, program, run
from tests.containers.builder import COMMIT
from tests.containers.engine import Engine, need_engine, started

pytestmark = [pytest.mark.cloud_long, pytest.mark.timeout(1500)]

CLIP = (ROOT / "tests" / "data" / "noisy.wav").read_bytes()
WAV = {"Content-Type": "audio/wav"}
APP, JOBS, GATEWAY = SERVICES = ("hush_app_1", "hush_jobs_1", "hush_gateway_1")


def sign(folder: Path) -> None:
    """Certificate and key as the document makes them, put where older ones may be in use."""
    folder.mkdir(exist_ok=True)
    files = ["-keyout", str(folder / "new.key"), "-out", str(folder / "new.pem")]
    openssl = program("openssl", "openssl")
    done = run(
        openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost", *files
    )
    assert done.returncode == 0, done.stdout
    (folder / "new.key").chmod(0o640)
    os.chown(folder / "new.key", -1, 10001)
    (folder / "new.pem").rename(folder / "certificate.pem")
    (folder / "new.key").rename(folder / "key.pem")


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The services of compose.yaml, all of them up."""
    need_engine()
    folder = tmp_path_factory.mktemp("compose")
    sign(folder / "tls")
    files = {"TLS_CERTIFICATE": str(folder / "tls" / "certificate.pem"), "TLS_KEY": str(folder / "tls" / "key.pem")}
    ports = {"HTTPS_PORT": str(free_port()), "HTTP_PORT": str(free_port()), "LISTEN_ADDRESS": "127.0.0.1"}
    with started(request.getfixturevalue("builder"), folder / "engine", **files, **ports) as made:
        for fixture, name in (("app_image", "hush"), ("gateway_image", "hush-gateway")):
            made.podman("tag", request.getfixturevalue(fixture), f"localhost/{name}:local", f"localhost/{name}:next")
        up(made)
        yield made


def up(engine: Engine, **variables: str) -> None:
    """What the document says, and the wait until the checks are content."""
    Engine(engine.builder, engine.folder, engine.variables | variables).compose("up", "--no-build", "--detach")
    wait_for(
        lambda: [health(engine, name) for name in (APP, GATEWAY)] == ["healthy"] * 2, 120, "health of the services"
    )


def health(engine: Engine, name: str) -> str:
    return str(engine.inspect(name)["State"]["Health"]["Status"])


def connection(engine: Engine) -> http.client.HTTPSConnection:
    """To the published port, by TLS whose certificate nobody signed."""
    context = ssl._create_unverified_context()
    return http.client.HTTPSConnection("127.0.0.1", int(engine.variables["HTTPS_PORT"]), timeout=60, context=context)


def ask(
    engine: Engine, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    with closing(connection(engine)) as made:
        made.request(method, path, body, WAV | headers if body else headers)
        answer = made.getresponse()
        return answer.status, answer.headers, answer.read()


def asked(engine: Engine, path: str) -> Any:
    """The JSON of a path that answers 200."""
    status, _, body = ask(engine, "GET", path)
    assert status == 200, body
    return json.loads(body)


def finished(engine: Engine, job: str) -> bool:
    state = asked(engine, job)["state"]
    assert state != "failed"
    return bool(state == "done")


@pytest.fixture(scope="module")
def enhanced(engine: Engine) -> bytes:
    """The clip, through the gateway."""
    status, _, body = ask(engine, "POST", "/predict", CLIP)
    assert status == 200, body[:300]
    return body


@pytest.fixture(scope="module")
def job(engine: Engine) -> str:
    """The path of a job that is done."""
    status, headers, body = ask(engine, "POST", "/jobs", CLIP)
    assert status == 202, body
    path = str(headers["Location"])
    wait_for(lambda: finished(engine, path), 60, "the job's end")
    return path


def test_a_recording_is_enhanced(engine: Engine, enhanced: bytes) -> None:
    assert len(enhanced) == len(CLIP)
    assert enhanced != CLIP
    assert asked(engine, "/version")["commit"] == COMMIT


def test_the_command_of_the_document(engine: Engine, enhanced: bytes, tmp_path: Path) -> None:
    url = f"https://localhost:{engine.variables['HTTPS_PORT']}/predict"
    form = f"audio_file=@{ROOT}/tests/data/noisy.wav"
    done = run(program("curl", "curl"), "-sS", "--insecure", "-4", "-F", form, url, "-o", str(tmp_path / "clean.wav"))
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "clean.wav").read_bytes() == enhanced


def test_plain_http_is_sent_to_the_published_port(engine: Engine) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", int(engine.variables["HTTP_PORT"]), timeout=10)) as plain:
        plain.request("GET", "/models?x=1", headers={"Host": "localhost"})
        answer = plain.getresponse()
        answer.read()
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://localhost:{engine.variables['HTTPS_PORT']}/models?x=1"


def test_a_job_is_done_by_the_consumer(engine: Engine, job: str, enhanced: bytes) -> None:
    assert f"job {job.rpartition('/')[2]} is done" in engine.podman("logs", JOBS)
    assert ask(engine, "GET", f"{job}/audio")[2] == enhanced


@pytest.mark.parametrize("name", SERVICES)
def test_no_rights_are_left(engine: Engine, name: str) -> None:
    assert engine.inside(name, "id").stdout.strip() == "uid=10001(hush) gid=10001(hush) groups=10001(hush)"
    status = engine.inside(name, "cat", "/proc/self/status").stdout
    held = {line.partition(":")[0]: line.split()[-1] for line in status.splitlines() if line}
    assert [held[f"Cap{kind}"].strip("0") for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [""] * 5
    assert held["NoNewPrivs"] == "1"
    for place in ("/", "/etc", "/opt/hush", "/opt/hush/app"):
        assert "Read-only file system" in engine.inside(name, "touch", f"{place}/x").stdout
    assert engine.inside(name, "touch", "/tmp/x").returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_what_was_asked_of_the_engine(engine: Engine, name: str) -> None:
    host = engine.inspect(name)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["CpuShares"] == (102 if name == JOBS else 0)
    assert (host["NetworkMode"] == "none") == (name == APP)
    assert engine.inspect(name)["Config"]["StopTimeout"] == 130


def test_each_service_has_what_it_needs_and_no_more(engine: Engine) -> None:
    """Interfaces, volumes, published ports, secrets; and nothing else is written to."""
    places = {name: {mount["Destination"] for mount in engine.inspect(name)["Mounts"]} for name in SERVICES}
    assert places[APP] == {"/run/hush", "/var/lib/hush", "/var/cache/hush"}
    assert places[JOBS] == {"/var/lib/hush", "/var/cache/hush"}
    secrets = {"/run/secrets/tls_certificate", "/run/secrets/tls_key"}
    assert places[GATEWAY] == {"/run/hush", "/var/cache/hush-nginx", *secrets}
    assert engine.inside(APP, "ls", "/sys/class/net").stdout.split() == ["lo"]
    published = {name: engine.inspect(name)["HostConfig"]["PortBindings"].values() for name in SERVICES}
    assert not any(published[APP])
    assert not any(published[JOBS])
    ports = {engine.variables["HTTPS_PORT"], engine.variables["HTTP_PORT"]}
    found = {(port["HostIp"], port["HostPort"]) for (port,) in published[GATEWAY]}
    assert found == {("127.0.0.1", port) for port in ports}
    # podman makes these two writable as well, and puts two files there; Docker does not.
    for name in SERVICES:
        written = engine.inside(name, "find", "/run", "/var/tmp", "-xdev", "-type", "f").stdout.split()
        assert set(written) - {"/run/.containerenv", "/run/podman-init"} == (secrets if name == GATEWAY else set())


def test_the_engine_builds_what_compose_asks_for(engine: Engine) -> None:
    """Context, target and arguments arrive; the layers are there already. The application would ask for TORCH_INDEX."""
    name = "localhost/hush-gateway:built"
    built = Engine(engine.builder, engine.folder, engine.variables | {"HUSH_TAG": "built"})
    built.compose("build", "gateway", seconds=600)
    ours, theirs = (engine.builder.config(image) for image in ("localhost/hush-gateway:local", name))
    assert {key: theirs[key] for key in ("User", "Cmd", "Healthcheck")} == {
        key: ours[key] for key in ("User", "Cmd", "Healthcheck")
    }


def test_a_killed_application_comes_back(engine: Engine) -> None:
    """The master of gunicorn, whose socket is left behind."""
    before = engine.inspect(APP)["State"]["Pid"]
    master = Path(f"/proc/{before}/task/{before}/children").read_text().split()[0]
    os.kill(int(master), signal.SIGKILL)
    wait_for(lambda: engine.inspect(APP)["State"]["Pid"] not in (0, before), 60, "a new start")
    wait_for(lambda: ask(engine, "GET", "/readyz")[0] == 200, 60, "readiness")
    assert ask(engine, "POST", "/predict", CLIP)[0] == 200


def test_a_renewed_certificate_is_served_after_a_restart(engine: Engine) -> None:
    def served() -> str:
        return ssl.get_server_certificate(("127.0.0.1", int(engine.variables["HTTPS_PORT"])), timeout=10)

    before = served()
    sign(Path(engine.variables["TLS_KEY"]).parent)
    engine.compose("restart", "gateway")
    wait_for(lambda: health(engine, GATEWAY) == "healthy", 60, "health of the gateway")
    assert served() == Path(engine.variables["TLS_CERTIFICATE"]).read_text() != before


def recording(seconds: int) -> bytes:
    """Noise, as WAV."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(random.Random(1).randbytes(2 * 16_000 * seconds))
    return written.getvalue()


def test_an_update_replaces_the_containers_and_keeps_the_jobs(engine: Engine, job: str, enhanced: bytes) -> None:
    status, headers, _ = ask(engine, "POST", "/jobs", recording(1200))
    assert status == 202
    for tag in ("next", "local"):
        up(engine, HUSH_TAG=tag)
        images = {engine.inspect(name)["ImageName"] for name in SERVICES}
        assert images == {f"localhost/hush:{tag}", f"localhost/hush-gateway:{tag}"}
        assert ask(engine, "GET", f"{job}/audio")[2] == enhanced
    wait_for(lambda: finished(engine, str(headers["Location"])), 120, "the end of the job of before")


@pytest.mark.parametrize("service", ["gateway", "jobs", "app"])
def test_a_service_is_stopped_while_it_starts(engine: Engine, service: str) -> None:
    """A first process that handles no signal yet would not hear of it, and be killed after the 130 s of grace."""
    engine.compose("restart", service)
    engine.compose("stop", service, seconds=60)
    up(engine)


def accepts(engine: Engine) -> bool:
    """Does the gateway still take connections?"""
    try:
        with closing(connection(engine)) as made:
            made.connect()
    except OSError:
        return False
    return True


def test_stopping_answers_what_has_begun(engine: Engine, enhanced: bytes) -> None:
    """A client in the midst of its upload when the stop comes: the gateway waits for it, the application for both."""
    stopping = engine.compose_command("stop")
    with closing(connection(engine)) as slow:
        slow.putrequest("POST", "/predict")
        for header, value in {**WAV, "Content-Length": str(len(CLIP)), "Cache-Control": "no-cache"}.items():
            slow.putheader(header, value)
        slow.endheaders(CLIP[: len(CLIP) // 2])
        assert isinstance(slow.sock, socket.socket)
        with subprocess.Popen(stopping, env=engine.environment(), cwd=ROOT, stderr=subprocess.DEVNULL) as stop:
            wait_for(lambda: not accepts(engine), 60, "the end of new connections")
            slow.send(CLIP[len(CLIP) // 2 :])
            answer = slow.getresponse()
            assert (answer.status, answer.read()) == (200, enhanced)
            assert stop.wait(60) == 0
    ends = {name: engine.inspect(name)["State"] for name in SERVICES}
    assert {name: end["ExitCode"] for name, end in ends.items()} == dict.fromkeys(SERVICES, 0)
    assert ends[GATEWAY]["FinishedAt"] <= ends[APP]["FinishedAt"]
    assert "POST /predict" in engine.podman("logs", "--tail", "1", GATEWAY)


def test_a_client_that_asks_too_much_is_told_so(engine: Engine) -> None:
    up(engine)
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 500:
        status, headers, _ = ask(engine, "GET", "/models")
        statuses.append(status)
    assert statuses[:21] == [200] * 21
    assert status == 429
    assert int(headers["Retry-After"]) >= 1
    assert ask(engine, "GET", "/healthz")[0] == 200


def test_down_leaves_nothing(engine: Engine) -> None:
    assert engine.listed("volume") == ["hush_cache", "hush_jobs", "hush_socket", "hush_spool"]
    engine.compose("down", "--volumes")
    assert engine.listed("container") == []
    assert engine.listed("volume") == []
    assert engine.listed("network") == ["podman"]
    assert not accepts(engine)
