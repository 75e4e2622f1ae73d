"""The instance's side of the lifecycle hooks, against HTTP servers that answer as Amazon's do."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from packer.instance.metadata import Credentials, Metadata
from packer.instance.signing import signed_headers
from tests.cloud.programs import ROOT

KEYS = {"AccessKeyId": "AKID", "SecretAccessKey": "secret", "Token": "session"}


class Amazon:
    """Metadata (token first), the auto-scaling API and nginx's /readyz in one server; the state is set by the test."""

    def __init__(self) -> None:
        self.ready = False
        self.state = "InService"
        self.spot = False
        self.refuse = False
        self.completed: list[dict[str, str]] = []
        self.signatures: list[str] = []
        handler = self.handler()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def metadata(self, path: str) -> str | None:
        known = {
            "instance-id": "i-0123",
            "autoscaling/target-lifecycle-state": self.state,
            "iam/security-credentials/": "role",
            "iam/security-credentials/role": json.dumps(KEYS),
        }
        if path == "spot/instance-action" and self.spot:
            return '{"action": "terminate"}'
        return known.get(path)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        amazon = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status: int, text: str = "") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_PUT(self) -> None:
                assert self.path == "/latest/api/token"
                self.answer(200, "token")

            def do_GET(self) -> None:
                if self.path == "/readyz":
                    self.answer(200 if amazon.ready else 503)
                elif self.headers["X-aws-ec2-metadata-token"] != "token":
                    self.answer(401)
                else:
                    text = amazon.metadata(self.path.removeprefix("/latest/meta-data/"))
                    self.answer(404 if text is None else 200, text or "")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                amazon.completed.append({name: values[0] for name, values in parse_qs(body).items()})
                amazon.signatures.append(self.headers["Authorization"])
                self.answer(400 if amazon.refuse else 200, "<ok/>")

            def log_message(self, *arguments: object) -> None:
                """Quiet."""

        return Handler


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    made = Amazon()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def agent(amazon: Amazon, folder: Path, ready_url: str = "") -> Iterator["subprocess.Popen[bytes]"]:
    hooks = {
        "region": "eu-central-1",
        "group": "hush-blue",
        "launch_hook": "hush-blue-launch",
        "termination_hook": "hush-blue-termination",
        "metadata_url": amazon.url,
        "autoscaling_url": f"{amazon.url}/",
        "ready_url": ready_url or f"{amazon.url}/readyz",
        "poll_s": 0.05,
    }
    (folder / "lifecycle.json").write_text(json.dumps(hooks))
    command = ["-m", "packer.instance.lifecycle", str(folder / "lifecycle.json"), str(folder / "stop")]
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_ready_instance_is_put_into_service(amazon: Amazon, tmp_path: Path) -> None:
    with agent(amazon, tmp_path):
        time.sleep(0.5)
        assert amazon.completed == []  # not before it is ready
        amazon.ready = True
        wait_until(lambda: amazon.completed)
        time.sleep(0.3)
    assert amazon.completed == [
        {
            "Action": "CompleteLifecycleAction",
            "Version": "2011-01-01",
            "AutoScalingGroupName": "hush-blue",
            "LifecycleHookName": "hush-blue-launch",
            "LifecycleActionResult": "CONTINUE",
            "InstanceId": "i-0123",
        }
    ]
    assert not (tmp_path / "stop").exists()


@pytest.mark.parametrize("reason", ["group", "spot"])
def test_an_instance_that_is_to_go_stops_first(amazon: Amazon, tmp_path: Path, reason: str) -> None:
    """It asks for the stop, waits until nginx is gone, and only then lets the group go on."""
    nginx = Amazon()
    nginx.ready = amazon.ready = True
    thread = threading.Thread(target=nginx.server.serve_forever, args=(0.01,))
    thread.start()
    with agent(amazon, tmp_path, f"{nginx.url}/readyz") as process:
        wait_until(lambda: amazon.completed)
        if reason == "group":
            amazon.state = "Terminated"
        else:
            amazon.spot = True
        wait_until((tmp_path / "stop").exists)
        time.sleep(0.3)
        assert len(amazon.completed) == 1  # nginx still answers
        nginx.server.shutdown()
        thread.join()
        nginx.server.server_close()
        assert process.wait(20) == 0
    assert amazon.completed[1]["LifecycleHookName"] == "hush-blue-termination"
    assert amazon.completed[1]["LifecycleActionResult"] == "CONTINUE"


def test_a_hook_that_nobody_waits_for_is_no_trouble(amazon: Amazon, tmp_path: Path) -> None:
    """After a reboot the launch hook is long over: the API answers 400, and the agent goes on watching."""
    amazon.ready = amazon.refuse = True
    with agent(amazon, tmp_path) as process:
        wait_until(lambda: amazon.completed)
        time.sleep(0.3)
        assert process.poll() is None


def test_metadata_needs_a_token_and_knows_what_is_not_there(amazon: Amazon) -> None:
    metadata = Metadata(amazon.url)
    assert metadata.get("instance-id") == "i-0123"
    assert metadata.get("spot/instance-action") is None
    assert metadata.credentials() == Credentials("AKID", "secret", "session")


def test_signature_is_botocores() -> None:
    auth = pytest.importorskip("botocore.auth", reason="botocore is missing: make test-cloud installs it")
    awsrequest = pytest.importorskip("botocore.awsrequest")
    keys = pytest.importorskip("botocore.credentials").Credentials("AKID", "secret", "session")
    url, body = "https://autoscaling.eu-central-1.amazonaws.com/", b"Action=CompleteLifecycleAction&x=a+b"
    now = datetime.now(UTC)
    ours = signed_headers(
        url,
        body,
        region="eu-central-1",
        service="autoscaling",
        credentials=Credentials("AKID", "secret", "session"),
        now=now,
    )
    headers = {"Content-Type": ours["content-type"], "Host": ours["host"], "X-Amz-Date": ours["x-amz-date"]}
    headers["X-Amz-Security-Token"] = "session"
    request = awsrequest.AWSRequest("POST", url, headers=headers, data=body)
    request.context["timestamp"] = ours["x-amz-date"]
    signer = auth.SigV4Auth(keys, "autoscaling", "eu-central-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signature = signer.signature(text, request)
    assert f"Signature={signature}" in ours["authorization"]
