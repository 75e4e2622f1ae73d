"""Steady load: `python client_load.py URL RECORDING.wav CLIENTS STOP_FILE REPORT.json`, until STOP_FILE exists.

Each client keeps its connection and sends the next recording when it has the answer. Every answer must be a recording
of the same length. Standard library only, because it runs in another network namespace.
"""

import http.client
import io
import json
import sys
import threading
import time
import wave
from pathlib import Path
from urllib.parse import urlsplit


def frames(recording: bytes) -> int:
    with wave.open(io.BytesIO(recording)) as file:
        return file.getnframes()


class Client(threading.Thread):
    """One client; what it has seen is in `seconds` and `failures`."""

    def __init__(self, url: str, recording: bytes, stop: Path) -> None:
        super().__init__()
        self.url, self.recording, self.stop = urlsplit(url), recording, stop
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.url.netloc, timeout=60)
        while not self.stop.exists():
            began, known = time.monotonic(), len(self.failures)
            try:
                connection.request("POST", "/predict", self.recording, {"Content-Type": "audio/wav"})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or frames(body) != frames(self.recording):
                    self.failures.append(f"{time.time():.1f} {answer.status} {body[:200]!r}")
            except (OSError, http.client.HTTPException, wave.Error, EOFError) as error:
                self.failures.append(f"{time.time():.1f} {type(error).__name__}: {error}")
                connection.close()
            self.seconds.append(time.monotonic() - began)
            # As a client would before it tries again.
            time.sleep(0.01 if len(self.failures) == known else 0.2)


def main() -> None:
    url, recording, count, stop, report = sys.argv[1:]
    clients = [Client(url, Path(recording).read_bytes(), Path(stop)) for _ in range(int(count))]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        time.sleep(0.2)
        seconds = sorted(item for client in clients for item in list(client.seconds))
        failures = [item for client in clients for item in list(client.failures)]
        seen = {"requests": len(seconds), "failures": failures, "worst": max(seconds, default=0.0)}
        seen["median"] = seconds[len(seconds) // 2] if seconds else 0.0
        part = Path(report).with_suffix(".part")
        part.write_text(json.dumps(seen))
        part.replace(report)


if __name__ == "__main__":
    main()
