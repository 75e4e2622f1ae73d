"""Metadata service and auto-scaling API for booted machines: `python amazon_server.py FOLDER METADATA_ADDR API_ADDR`.

A machine is known by its address. FOLDER/ADDRESS.state says what its group wants with it (InService without the file);
what the machine reports is appended to FOLDER/ADDRESS.completed, one line "HOOK RESULT" each. Standard library only.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from urllib.parse import parse_qs

ROLE = json.dumps(
    {"AccessKeyId": "AKID", "SecretAccessKey": "secret", "Token": "session", "Expiration": "2099-01-01T00:00:00Z"}
)


class Handler(BaseHTTPRequestHandler):
    """Answers both services; `folder` is set before it is used."""

    folder = Path()

    def answer(self, status: int, text: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self) -> None:
        self.answer(200, "token")

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != "token":
            self.answer(401)
            return
        state = self.folder / f"{self.client_address[0]}.state"
        known = {
            "instance-id": f"i-{self.client_address[0]}",
            "autoscaling/target-lifecycle-state": state.read_text() if state.exists() else "InService",
            "iam/security-credentials/": "role",
            "iam/security-credentials/role": ROLE,
        }
        text = known.get(self.path.removeprefix("/latest/meta-data/"))
        self.answer(404 if text is None else 200, text or "")

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
        with (self.folder / f"{self.client_address[0]}.completed").open("a") as file:
            file.write(f"{body['LifecycleHookName'][0]} {body['LifecycleActionResult'][0]}\n")
        self.answer(200, "<ok/>")

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    """Every machine asks twice a second, each time by a new connection; on a busy machine they queue up."""

    request_queue_size = 256  # instead of 5, beyond which a connection is tried again after 1, 3, 7 s

    def server_bind(self) -> None:
        """Without the base class's question for the name of the address, which a name server would have to answer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


def serve(address: str) -> Server:
    host, _, port = address.rpartition(":")
    server = Server((host, int(port)), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[1])
    for place in sys.argv[2:]:
        serve(place)
    threading.Event().wait()
