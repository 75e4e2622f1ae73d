"""A client that keeps a server busy and costs little itself: prepared requests on kept-alive connections."""

import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

RECEIVE_BYTES = 1 << 18


@dataclass
class Outcome:
    """What happened: how many answers of each status, how long they took, the last `Server-Timing` values."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of answers with status 200
    timings: list[str] = field(default_factory=list)

    @property
    def served(self) -> int:
        """Answers with status 200."""
        return self.statuses[200]


def prepared(path: str, body: bytes, content_type: str) -> bytes:
    """A whole POST request."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def in_form(audio: bytes) -> tuple[bytes, str]:
    """The recording as the field `audio_file` of a form, and the form's content type."""
    head = '--b0und\r\nContent-Disposition: form-data; name="audio_file"; filename="a.wav"\r\n'
    body = head.encode() + b"Content-Type: audio/wav\r\n\r\n" + audio + b"\r\n--b0und--\r\n"
    return body, "multipart/form-data; boundary=b0und"


def exchange(connection: socket.socket, request: bytes) -> tuple[int, bytes, int]:
    """Sends one request; status, head of the answer, bytes of its body. The answer must have a Content-Length."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, rest = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    got = len(rest)
    while got < length:
        got += len(_received(connection))
    return int(head.split(b" ", 2)[1]), head, length


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(RECEIVE_BYTES)
    if not data:
        raise ConnectionError("the server closed the connection in the middle of an answer")
    return data


def saturate(port: int, requests: list[bytes], *, connections: int, seconds: float) -> Outcome:
    """Sends `requests` in turn over so many connections, each as fast as answers come, for `seconds`."""
    outcome = Outcome()
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_client, args=(port, requests[number % len(requests) :] + requests, until, outcome))
        for number in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def _client(port: int, requests: list[bytes], until: float, outcome: Outcome) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        number = 0
        while time.monotonic() < until:
            start = time.monotonic()
            status, head, _ = exchange(connection, requests[number % len(requests)])
            number += 1
            outcome.statuses[status] += 1
            if status == 200:
                outcome.seconds.append(time.monotonic() - start)
                outcome.timings += [
                    line[15:].decode() for line in head.split(b"\r\n") if line.startswith(b"Server-Timing: ")
                ]
            else:
                time.sleep(0.05)
