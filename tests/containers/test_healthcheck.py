"""The health check of the images, against real servers."""

import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from tests.cloud.programs import ROOT, program, run


class Handler(BaseHTTPRequestHandler):
    """200 for /readyz and /healthz, 503 for everything else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path in ("/readyz", "/healthz") else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Quiet; and a unix socket has no client address to name."""


class UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


def serve(server: "UnixServer | HTTPServer") -> None:
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    yield made
    made.shutdown()
    made.server_close()


def check(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "containers.healthcheck", *arguments]
    return run(*command, cwd=ROOT, env={**os.environ, **environment}, seconds=30)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
def test_asks_where_gunicorn_listens(server: HTTPServer, host: str) -> None:
    serve(server)
    done = check(HUSH_BIND=f"{host}:{server.server_port}")
    assert done.returncode == 0, done.stdout


def test_asks_a_unix_socket(tmp_path: Path) -> None:
    with UnixServer(str(tmp_path / "s"), Handler) as made:
        serve(made)
        done = check(HUSH_BIND=f"unix:{tmp_path / 's'}")
        made.shutdown()
    assert done.returncode == 0, done.stdout
    assert check(HUSH_BIND=f"unix:{tmp_path / 'none'}").returncode == 1


def test_asks_by_tls_without_knowing_the_certificate(server: HTTPServer, tmp_path: Path) -> None:
    openssl = program("openssl", "openssl")
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    made = run(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "1", *files)
    assert made.returncode == 0, made.stdout
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serve(server)
    done = check(f"https://127.0.0.1:{server.server_port}/healthz")
    assert done.returncode == 0, done.stdout


def test_says_what_is_wrong(server: HTTPServer) -> None:
    serve(server)
    done = check(f"http://127.0.0.1:{server.server_port}/other")
    assert (done.returncode, done.stdout) == (1, "healthcheck: /other answers 503\n")
    assert check("http://127.0.0.1:9/").returncode == 1
    assert check("http://127.0.0.1:port/").returncode == 1


def models(folder: Path) -> "subprocess.CompletedProcess[str]":
    return run(sys.executable, str(ROOT / "containers" / "check_models.py"), str(folder))


def test_models_with_their_hashes_pass() -> None:
    assert models(ROOT / "models").returncode == 0


def test_another_hash_or_a_missing_file_does_not(tmp_path: Path) -> None:
    copy = tmp_path / "models"
    shutil.copytree(ROOT / "models", copy)
    weights = sorted(path for path in copy.glob("*.safetensors") if ".example." not in path.name)
    weights[0].write_bytes(weights[0].read_bytes() + b" ")
    weights[1].unlink()
    done = models(copy)
    assert done.returncode == 1
    assert f"{weights[0].name} has SHA-256" in done.stdout
    assert f"there is no {weights[1].name}" in done.stdout
    assert models(tmp_path).returncode == 1
