"""Many bad clients at once, from one thread: `python -m tests.faults.slow_clients KIND COUNT PORT SECONDS`.

A process of its own, because it needs thousands of descriptors. Prints READY when all are connected, and at the end how
many of them are still connected. Kinds:

    idle       a kept-alive connection after one request, then silence
    half       connects and says nothing
    head       one byte of a header each second
    up         an upload at 1 kB a second
    down       asks for a file of 150 kB, takes it at 1 kB a second
    vanish     sends half an upload and resets the connection, again and again
    pipeline   ten requests at once on one connection, all answers expected, again and again
"""

import contextlib
import resource
import socket
import struct
import sys
import time

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\nContent-Length: 64044\r\n\r\n"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
FIRST = {
    # nginx itself answers this, with 404: connecting ten thousand must not take as long as nginx keeps them.
    "idle": b"GET /.problem HTTP/1.1\r\nHost: x\r\n\r\n",
    "half": b"",
    "head": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "up": HEAD,
    "down": b"GET /static/x/swagger-ui.css HTTP/1.1\r\nHost: x\r\n\r\n",
}


def connect(port: int, small: bool = False) -> socket.socket:
    made = socket.socket()
    if small:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    made.settimeout(60)
    made.connect(("127.0.0.1", port))
    return made


def hold(kind: str, count: int, port: int, seconds: float) -> int:
    """Connects them all, then drips or waits; how many the server has kept to the end."""
    connected = []
    for _ in range(count):
        one = connect(port, small=kind == "down")
        one.sendall(FIRST[kind])
        if kind == "idle":
            assert b"404 Not Found" in one.recv(4096)
        one.setblocking(False)
        connected.append(one)
    print("READY", flush=True)
    end, lost = time.monotonic() + seconds, set()
    while time.monotonic() < end:
        for one in connected:
            if one not in lost and not drip(one, kind):
                lost.add(one)
        time.sleep(1)
    kept = [one for one in connected if one not in lost and is_open(one, kind)]
    for one in connected:
        one.close()
    return len(kept)


def drip(one: socket.socket, kind: str) -> bool:
    """A second's worth; False when the connection is gone."""
    try:
        if kind == "head":
            one.send(b"a")
        elif kind == "up":
            one.send(bytes(1000))
        elif kind == "down":
            one.recv(1000)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def is_open(one: socket.socket, kind: str) -> bool:
    if kind == "down":
        return True
    with contextlib.suppress(BlockingIOError):
        return one.recv(1) != b""
    return True


def vanish(count: int, port: int, seconds: float) -> int:
    print("READY", flush=True)
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        connected = [connect(port) for _ in range(count)]
        for one in connected:
            one.sendall(HEAD + bytes(30_000))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        for one in connected:
            one.close()
        done += count
        time.sleep(0.2)
    return done


def pipeline(count: int, port: int, seconds: float) -> int:
    """Ten requests in one packet; how many answers came, or -1 when one was missing."""
    print("READY", flush=True)
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(count):
            with connect(port) as one:
                asked = ALIVE * 9 + ALIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                one.sendall(asked)
                received = b""
                while piece := one.recv(65536):
                    received += piece
                if received.count(b"HTTP/1.1 200 OK") != 10:
                    return -1
                done += 10
        time.sleep(0.05)
    return done


def main() -> None:
    kind, count, port, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    special = {"vanish": vanish, "pipeline": pipeline}.get(kind)
    print(special(count, port, seconds) if special else hold(kind, count, port, seconds), flush=True)


if __name__ == "__main__":
    main()
