"""gunicorn behind nginx, in the foreground, without root: `python -m nginx.stack` (make stack).

    client -> nginx :8080 -> unix socket -> gunicorn, and a consumer of jobs

Ctrl-C, SIGTERM or the end of either server stops both in the order that loses nothing: nginx takes no new request and
finishes those it has (SIGQUIT), then gunicorn ends (SIGTERM).
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from nginx import render

ROOT = Path(__file__).resolve().parent.parent
INSTALL = "nginx is not installed. Debian, Ubuntu: apt-get install nginx-light. macOS: brew install nginx."

Process = subprocess.Popen[bytes]


class Stopped(Exception):
    """Somebody asked the stack to end."""


def find_nginx() -> str | None:
    """The program; Debian keeps it where only root's PATH looks."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def start(command: list[str], **environment: str) -> Process:
    """In a session of its own, so that Ctrl-C in the terminal reaches only this program, which stops them in order."""
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, start_new_session=True)


def start_gunicorn(bind: str) -> Process:
    """The application's server, trusting the one proxy in front of it, with a consumer of jobs beside it."""
    return start([sys.executable, "-m", "api.jobs.together"], HUSH_BIND=bind, HUSH_TRUSTED_PROXIES="1")


def nginx_command(program: str, folder: Path) -> list[str]:
    """nginx in the foreground with the configuration rendered into `folder`."""
    return [program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"]


def stop(process: Process, number: signal.Signals, seconds: float) -> None:
    """Asks `process` to end, and kills it when it has not done so in time."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def servers(program: str, folder: Path, socket: Path) -> Iterator[tuple[Process, Process]]:
    """Both servers, nginx once gunicorn listens; leaving the block stops them, nginx first."""
    application = start_gunicorn(f"unix:{socket}")
    try:
        while application.poll() is None and not socket.exists():
            time.sleep(0.05)
        front = start(nginx_command(program, folder))
        try:
            yield front, application
        finally:
            stop(front, signal.SIGQUIT, 30)
    finally:
        stop(application, signal.SIGTERM, 90)


def ready(url: str) -> bool:
    """Whether the whole stack answers that it can enhance."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def watch(url: str, running: tuple[Process, Process]) -> int:
    """Says when the stack is ready and waits; returns 1 when a server ends by itself."""
    said = False
    while all(process.poll() is None for process in running):
        if not said and ready(url):
            said = True
            print(f"\nHush is ready behind nginx: {url}\n    curl {url}/models\nCtrl-C stops it.", flush=True)
        time.sleep(0.2)
    print("A server has ended; its last words are above or in error.log of the run folder.", file=sys.stderr)
    return 1


def ask_to_stop(number: int, frame: FrameType | None) -> None:
    """Handler of SIGINT and SIGTERM. A second signal must not interrupt the orderly end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def run(program: str, gateway: render.Gateway, folder: Path, socket: Path) -> int:
    """Renders, starts, waits; 0 after an orderly stop."""
    render.write(gateway, folder)
    signal.signal(signal.SIGINT, ask_to_stop)
    signal.signal(signal.SIGTERM, ask_to_stop)
    try:
        with servers(program, folder, socket) as running:
            return watch(f"http://{gateway.listen}", running)
    except Stopped:
        print("\nHush has stopped.", flush=True)
        return 0


def main(arguments: list[str]) -> int:
    """Parses the command line; 2 when an option is no good or nginx is missing."""
    parser = argparse.ArgumentParser(prog="python -m nginx.stack", description="gunicorn behind nginx.")
    parser.add_argument("--folder", type=Path, default=ROOT / ".run" / "nginx", help="run folder; default .run/nginx")
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1; default 8080")
    parser.add_argument("--rate", type=int, default=10, help="requests a minute of one client, 0 is no limit")
    chosen = parser.parse_args(arguments)
    program = find_nginx()
    if program is None:
        print(INSTALL, file=sys.stderr)
        return 2
    # The socket is not in the run folder: its path may be 107 bytes long at most, wherever the project lies.
    with tempfile.TemporaryDirectory(prefix="hush-") as sockets:
        socket = Path(sockets, "gunicorn.sock")
        user = "root" if os.geteuid() == 0 else ""  # a developer's machine: the folder is closed to other users
        try:
            gateway = render.Gateway(
                listen=f"127.0.0.1:{chosen.port}", rate=chosen.rate, upstream=f"unix:{socket}", user=user
            )
        except render.OptionError as error:
            print(f"nginx.stack: {error}", file=sys.stderr)
            return 2
        return run(program, gateway, chosen.folder.resolve(), socket)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
