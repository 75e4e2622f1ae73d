"""Traces: a real gunicorn with two workers sends them to a receiver that reads OTLP as a collector does."""

import http.server
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.timing import SpanClock
from tests.api.recordings import encoded, noise
from tests.servers import ROOT, environment, start_gunicorn, wait_for

SECOND = encoded(noise(1.0))
WAV = {"Content-Type": "audio/wav"}
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = ["decode", "encode", "enhance", "parse", "queue"]


@dataclass(frozen=True)
class Span:
    """One that has arrived."""

    name: str
    trace: str
    span: str
    parent: str
    start: int
    end: int
    failed: bool
    known: dict[str, Any]
    resource: dict[str, Any]


def values(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@contextmanager
def receiver() -> Iterator[tuple[str, list[Span]]]:
    """Its address, and what has come."""
    spans: list[Span] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = values(group.resource.attributes)
                for one in (one for scope in group.scope_spans for one in scope.spans):
                    names = one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex()
                    times = one.start_time_unix_nano, one.end_time_unix_nano
                    spans.append(Span(one.name, *names, *times, one.status.code == 2, values(one.attributes), resource))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_request_is_a_span_with_its_stages(tmp_path: Path) -> None:
    before = time.time_ns()
    with receiver() as (endpoint, spans):
        with start_gunicorn(tmp_path, HUSH_OTLP_ENDPOINT=endpoint, OTEL_RESOURCE_ATTRIBUTES="fleet=north") as server:

            def post(query: str = "", body: bytes = SECOND, **headers: str) -> requests.Response:
                return requests.post(f"{server.url}/predict{query}", data=body, headers={**WAV, **headers}, timeout=60)

            called = post(traceparent=f"00-{TRACE}-{CALLER}-01", **{"X-Request-Id": "called"})
            assert called.status_code == 200
            assert post(traceparent=f"00-{'1' * 32}-{CALLER}-00").status_code == 200  # its caller traces nothing
            assert post("?stream=true", **{"X-Request-Id": "streamed"}).status_code == 200
            assert post("?model=nobody", **{"X-Request-Id": "unknown"}).status_code == 404
            assert post(body=b"no audio", **{"X-Request-Id": "damaged"}).status_code == 400
            assert requests.get(f"{server.url}/nowhere?secret=1", timeout=10).status_code == 404
            with ThreadPoolExecutor(4) as clients:
                assert {answer.status_code for answer in clients.map(lambda _: post(), range(20))} == {200}
        after = time.time_ns()  # the workers have sent the rest before they ended
    assert "traces" not in server.log
    roots = {span.known["hush.request_id"]: span for span in spans if "hush.request_id" in span.known}
    assert len(roots) == 25
    assert {span.known["http.route"] for span in roots.values()} == {"/predict", ""}  # nothing of /readyz
    assert all("secret" not in str(span) for span in spans)
    assert {span.resource["service.name"] for span in spans} == {"hush"}
    assert {span.resource["fleet"] for span in spans} == {"north"}
    assert len({span.resource["process.pid"] for span in spans}) == 2
    assert all(before < span.start <= span.end < after for span in spans)

    root = roots["called"]
    assert (root.name, root.trace, root.parent, root.failed) == ("POST /predict", TRACE, CALLER, False)
    assert root.known["http.response.status_code"] == 200
    assert root.known["hush.model"] == called.headers["X-Model"]
    assert root.known["hush.audio_seconds"] == 1.0
    below = {span.name: span for span in spans if span.parent == root.span}
    assert sorted(below) == STAGES
    timing = dict(part.split(";dur=") for part in called.headers["Server-Timing"].split(", "))
    for name, span in below.items():
        assert span.trace == TRACE
        assert root.start <= span.start <= span.end <= root.end
        busy = span.known["hush.busy_seconds"]
        assert abs(busy * 1000 - float(timing[name])) < 0.1
        assert (span.end - span.start) / 1e9 >= busy - 1e-4
    assert below["parse"].end <= below["queue"].start + 1e6 <= below["enhance"].end

    assert {roots[name].known["http.response.status_code"] for name in ("unknown", "damaged")} == {404, 400}
    assert roots["damaged"].known["hush.refusal"] == "not-audio"
    streamed = [span.name for span in spans if span.parent == roots["streamed"].span]
    assert sorted(streamed) == [name for name in STAGES if name != "encode"]
    assert len({span.trace for span in roots.values()}) == 25


def test_a_collector_that_is_away_or_hangs_costs_no_request(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections and says nothing
        closed = socket.create_server(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        closed.close()
        for number, patience in ((port, "1"), (deaf.getsockname()[1], "30")):
            settings = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_EXPORTER_OTLP_TIMEOUT": patience}
            endpoint = f"http://127.0.0.1:{number}"
            with start_gunicorn(tmp_path, HUSH_WORKERS="1", HUSH_OTLP_ENDPOINT=endpoint, **settings) as server:
                for _ in range(5):
                    answer = requests.post(f"{server.url}/predict", data=SECOND, headers=WAV, timeout=30)
                    assert (answer.status_code, answer.elapsed.total_seconds() < 10) == (200, True)
                if number == port:
                    wait_for(lambda: '"message": "traces"' in server.log, 30, "a line of the service's log")
                stopped = time.monotonic()
                server.process.terminate()
                server.process.wait(15)
                assert time.monotonic() - stopped < 12
                assert "Traceback" not in server.log


def start(**variables: str) -> "subprocess.CompletedProcess[str]":
    """Loads the application as the master does, and names what that has loaded to send traces."""
    code = "import sys, wsgi; print([name for name in sys.modules if name.startswith('opentelemetry.exporter')])"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(**variables), capture_output=True, text=True
    )


def test_without_an_endpoint_nothing_is_loaded() -> None:
    """redis' client loads what it finds of OpenTelemetry, but nothing that sends."""
    assert start().stdout.strip() == "[]"


def test_missing_packages_stop_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()  # stands in front of the real one, and is empty
    done = start(PYTHONPATH=str(tmp_path), HUSH_OTLP_ENDPOINT="http://127.0.0.1:4318")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("hush: HUSH_OTLP_ENDPOINT needs the packages opentelemetry-sdk and ")


def test_the_clock_of_spans_knows_first_and_last() -> None:
    times = iter(range(100))
    clock = SpanClock(lambda: float(next(times)))
    with clock.stage("encode"):  # 0
        for _ in clock.during("decode", [1, 2]):  # 1 to 2, 3 to 4, 5 to 6
            pass
    assert clock.between == {"encode": (0.0, 7.0), "decode": (1.0, 6.0)}
    assert clock.seconds["encode"] + clock.seconds["decode"] == 7.0
