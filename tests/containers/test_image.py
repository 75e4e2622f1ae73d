"""The images for real: buildah builds them, the application enhances, the gateway ends TLS and limits.

`make test-containers`; minutes, root. Containers share this machine's network and listen on its loopback address.
"""

import http.client
import json
import os
import ssl
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cloud.aws import free_port
from tests.cloud.machines import wait_for
from tests.cloud.programs import ROOT, program, run
from tests.containers.builder import COMMIT, Builder, Container

pytestmark = [pytest.mark.cloud_long, pytest.mark.timeout(1500)]

CLIP = ROOT / "tests" / "data" / "noisy.wav"


@pytest.fixture(scope="module")
def app(builder: Builder, app_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Container, int]]:
    """The application on a port of the loopback address, as its image starts it."""
    port = free_port()
    options = ["--env", f"HUSH_BIND=127.0.0.1:{port}", "--env", "HUSH_TRUSTED_PROXIES=1"]
    command = builder.config(app_image)["Cmd"]
    log = tmp_path_factory.mktemp("app") / "log"
    with builder.started(app_image, log, *options, command=command) as container:
        wait_for(lambda: healthy(container, *options), 300, f"health of the application ({container.words()})")
        yield container, port


def healthy(container: Container, *options: str) -> bool:
    """What the image's own HEALTHCHECK says."""
    container.still_runs()
    return container.run("python", "-m", "containers.healthcheck", options=options).returncode == 0


@pytest.mark.parametrize("target", ["app", "gateway"])
def test_what_the_images_say_of_themselves(builder: Builder, target: str, request: pytest.FixtureRequest) -> None:
    config = builder.config(request.getfixturevalue(f"{target}_image"))
    assert config["User"] == "10001:10001"
    assert "containers.healthcheck" in " ".join(config["Healthcheck"]["Test"])
    assert config["ExposedPorts"]


def test_the_application_enhances(app: tuple[Container, int]) -> None:
    """Every model, with the hashes of this tree; the length, rate and channels of the recording."""
    url = f"http://127.0.0.1:{app[1]}"
    check = [sys.executable, "-m", "packer.instance.check_service", url, str(CLIP), str(ROOT / "models")]
    done = run(*check, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    with urllib.request.urlopen(f"{url}/version", timeout=10) as answer:
        assert json.load(answer)["commit"] == COMMIT


def test_the_application_may_change_nothing_of_itself(app: tuple[Container, int]) -> None:
    container, _ = app
    assert container.run("id").stdout.strip() == "uid=10001(hush) gid=10001(hush) groups=10001(hush)"
    assert container.run("touch", "/opt/hush/app/x").returncode != 0
    assert container.run("find", "/opt/hush", "-writable", "-not", "-type", "l").stdout == ""
    assert container.run("touch", "/var/lib/hush/x").returncode == 0


def test_nothing_else_is_in_the_image(app: tuple[Container, int]) -> None:
    """No tests, no state, no build tools."""
    listed = set(app[0].run("ls", "-A", "/opt/hush/app").stdout.split())
    assert {"api", "inference", "models", "wsgi.py"} <= listed
    assert listed & {"tests", "terraform", "training", ".git", "packer", "Makefile", "docs"} == set()
    assert app[0].run("sh", "-c", "command -v pip pip3 gcc make || true").stdout == ""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A folder with certificate and key under the names of the secrets, readable for the gateway's user."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    files = ["-keyout", str(folder / "tls_key"), "-out", str(folder / "tls_certificate")]
    openssl = program("openssl", "openssl")
    done = run(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1", *files)
    assert done.returncode == 0, done.stdout
    for path in (tmp_path, folder, *folder.iterdir()):
        path.chmod(0o755)
    os.chown(folder / "tls_key", 10001, 10001)
    (folder / "tls_key").chmod(0o400)
    return folder


def post(port: int) -> tuple[int, bytes]:
    """A clip through TLS whose certificate nobody signed."""
    context = ssl._create_unverified_context()
    with closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)) as connection:
        connection.request("POST", "/predict", CLIP.read_bytes(), {"Content-Type": "audio/wav"})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_gateway_ends_tls_and_limits(
    builder: Builder, gateway_image: str, app: tuple[Container, int], certificate: Path, tmp_path: Path
) -> None:
    port, plain = free_port(), free_port()
    values = {"LISTEN": f"127.0.0.1:{port}", "REDIRECT": f"127.0.0.1:{plain}", "UPSTREAM": f"127.0.0.1:{app[1]}"}
    values |= {"RATE": "1", "BURST": "1", "PUBLIC_PORT": "443"}
    options = [word for name, value in values.items() for word in ("--env", f"GATEWAY_{name}={value}")]
    options += ["--volume", f"{certificate}:/run/secrets:ro"]
    command = builder.config(gateway_image)["Cmd"]
    check = ("python3", "-m", "containers.healthcheck", f"https://127.0.0.1:{port}/healthz")
    with builder.started(gateway_image, tmp_path / "log", *options, command=command) as gateway:
        wait_for(lambda: gateway.still_runs().run(*check).returncode == 0, 60, "health of the gateway")
        answers = [post(port) for _ in range(4)]
        assert [status for status, _ in answers] == [200, 200, 429, 429]
        assert len(answers[0][1]) == CLIP.stat().st_size
        assert json.loads(answers[2][1])["status"] == 429
        assert '"status":429' in gateway.words()  # the access log
        with closing(http.client.HTTPConnection("127.0.0.1", plain, timeout=10)) as connection:
            connection.request("GET", "/models", headers={"Host": f"localhost:{plain}"})
            redirect = connection.getresponse()
            redirect.read()
        assert redirect.status in (301, 308)
        assert redirect.headers["Location"] == "https://localhost/models"


def test_without_a_certificate_it_says_so(builder: Builder, gateway_image: str, tmp_path: Path) -> None:
    command = builder.config(gateway_image)["Cmd"]
    with builder.started(gateway_image, tmp_path / "log", command=command) as gateway:
        assert gateway.process.wait(60) != 0
        assert "gateway: /run/secrets/tls_certificate is missing" in gateway.words()


def test_a_damaged_model_stops_the_build(builder: Builder, app_image: str) -> None:
    """The check of the first stage, in the image that has passed it."""
    damage = "cp -r models /tmp/m && echo x >>/tmp/m/recurrent.safetensors && python -m containers.check_models /tmp/m"
    log = builder.folder / "damaged.log"
    with builder.started(app_image, log, command=["sh", "-c", damage]) as container:
        assert container.process.wait(60) == 1
        assert "recurrent.safetensors has SHA-256" in container.words()
