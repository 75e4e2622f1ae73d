"""TLS with a certificate of one's own: HTTP/2 is offered, old versions are not, plain HTTP is redirected."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.nginx.gateway import Running, free_port, gateway
from tests.nginx.raw import send
from tests.nginx.upstream import Upstream

OPENSSL = shutil.which("openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem for 127.0.0.1, signed by itself."""
    if OPENSSL is None:
        pytest.skip("the program openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    command = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def plain_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def secure(
    backend: Upstream, certificate: Path, plain_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    options = {"tls_certificate": str(certificate / "cert.pem"), "tls_key": str(certificate / "key.pem")}
    folder = tmp_path_factory.mktemp("secure")
    with gateway(folder, backend.address, redirect_listen=f"127.0.0.1:{plain_port}", **options) as running:
        yield running


def handshake(running: Running, certificate: Path, **versions: ssl.TLSVersion) -> tuple[str | None, str | None]:
    """Protocol chosen by ALPN, and TLS version."""
    context = ssl.create_default_context(cafile=certificate / "cert.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    for name, version in versions.items():
        setattr(context, name, version)
    plain = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped:
        return wrapped.selected_alpn_protocol(), wrapped.version()


def test_the_application_is_told_the_scheme(secure: Running, certificate: Path) -> None:
    answer = requests.get(f"{secure.url}/echo", verify=str(certificate / "cert.pem"), timeout=10)
    assert answer.json()["headers"]["x-forwarded-proto"] == "https"
    assert secure.log(answer.headers["X-Request-Id"])[0]["tls"] == "TLSv1.3"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_http_2_is_offered(secure: Running, certificate: Path) -> None:
    assert handshake(secure, certificate) == ("h2", "TLSv1.3")


def test_tls_1_2_still_works(secure: Running, certificate: Path) -> None:
    assert handshake(secure, certificate, maximum_version=ssl.TLSVersion.TLSv1_2) == ("h2", "TLSv1.2")


def test_plain_http_on_the_tls_port_is_a_problem(secure: Running) -> None:
    answer = send(secure, b"GET / HTTP/1.1\r\nHost: hush\r\n\r\n")
    assert answer.status == answer.problem["status"] == 400
    assert "https://" in answer.problem["detail"]


def test_plain_http_is_redirected(secure: Running, plain_port: int) -> None:
    answer = requests.post(f"http://127.0.0.1:{plain_port}/predict?model=a", allow_redirects=False, timeout=10)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"{secure.url}/predict?model=a"


def test_http_2_request(secure: Running, certificate: Path) -> None:
    curl = shutil.which("curl")
    if curl is None or "HTTP2" not in subprocess.run([curl, "-V"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("no curl with HTTP/2 is installed")
    command = [curl, "-sS", "--http2", "--cacert", "cert.pem", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
    done = subprocess.run(
        [*command, f"{secure.url}/audio"], cwd=certificate, capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "2 200"
