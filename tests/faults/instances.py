"""Three instances (nginx and gunicorn), each in a network namespace, and balancers in a further one. Needs root."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nginx.render import Gateway, write
from nginx.stack import nginx_command
from tests.cloud.programs import program, run
from tests.faults.load import RECORDING
from tests.nginx.gateway import NGINX
from tests.servers import ROOT, environment, wait_for

NETWORK = "10.97.0"
BALANCER = f"{NETWORK}.1"
NUMBERS = (11, 12, 13)
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 120s
    timeout server 120s
    timeout check 4s
    # As balancers in the cloud do: what was sent is not sent again.
    retries 0
    option httpchk GET /readyz
frontend clients
    bind {balancer}:80
    default_backend instances
backend instances
    balance leastconn
    default-server check inter 1s fall 2 rise 1
{servers}
"""
RETRYING = """
worker_processes 1;
pid balancer.pid;
user root;
error_log balancer.log;
events {{ worker_connections 500; }}
http {{
    access_log off;
    client_body_buffer_size 1m;
    upstream instances {{
        least_conn;
{servers}
    }}
    server {{
        listen {balancer}:81;
        location / {{
            proxy_pass http://instances;
            proxy_http_version 1.1;
            # A body is sent again to the next instance: enhancing it twice does no harm.
            proxy_next_upstream error http_502 http_503 non_idempotent;
            proxy_connect_timeout 1s;
        }}
    }}
}}
"""


@dataclass
class Instance:
    """One of the three; `processes` are its gunicorn and its nginx."""

    address: str
    drain_file: Path
    gunicorn: "subprocess.Popen[bytes]"
    nginx: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """The order of the units: the gateway finishes what it has, then the application ends."""
        self.nginx.send_signal(signal.SIGQUIT)
        self.nginx.wait(60)
        self.gunicorn.terminate()
        self.gunicorn.wait(60)

    def kill(self) -> None:
        """Everything of it at once."""
        for process in (self.nginx, self.gunicorn):
            os.killpg(process.pid, signal.SIGKILL)
        for process in (self.nginx, self.gunicorn):
            process.wait(10)


@dataclass
class Group:
    """The network with its balancers: haproxy, which asks /readyz and never retries, and nginx, which retries."""

    folder: Path
    prefix: str
    held: ExitStack
    instances: dict[int, Instance] = field(default_factory=dict)

    def spawn(self, space: str, command: list[str], log: str, **variables: str) -> "subprocess.Popen[bytes]":
        """A process in a namespace, in a session of its own that ends with the group."""
        output = self.held.enter_context((self.folder / log).open("ab"))
        process = subprocess.Popen(
            [program("ip", "iproute2"), "netns", "exec", f"{self.prefix}{space}", *command],
            cwd=ROOT,
            env=environment(**variables),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

        def end() -> None:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)

        self.held.callback(end)
        return process

    def make_network(self) -> None:
        """A bridge in the balancers' namespace, and a namespace for each instance on it."""
        lb = f"{self.prefix}lb"
        call("ip", "netns", "add", lb)
        self.held.callback(run, "ip", "netns", "del", lb)
        call("ip", "-n", lb, "link", "set", "lo", "up")
        call("ip", "-n", lb, "link", "add", "br0", "type", "bridge")
        call("ip", "-n", lb, "addr", "add", f"{BALANCER}/24", "dev", "br0")
        call("ip", "-n", lb, "link", "set", "br0", "up")
        for number in NUMBERS:
            space = f"{self.prefix}{number}"
            call("ip", "netns", "add", space)
            self.held.callback(run, "ip", "netns", "del", space)
            pair = ["type", "veth", "peer", "name", f"f{number}", "netns", lb]
            call("ip", "link", "add", "host0", "netns", space, *pair)
            call("ip", "-n", lb, "link", "set", f"f{number}", "master", "br0", "up")
            call("ip", "-n", space, "addr", "add", f"{NETWORK}.{number}/24", "dev", "host0")
            call("ip", "-n", space, "link", "set", "host0", "up")
            call("ip", "-n", space, "link", "set", "lo", "up")

    def launch(self, number: int, sockets: Path) -> None:
        """Both servers of an instance, with one worker."""
        bind, drain = f"unix:{sockets}/{number}.sock", self.folder / f"drain-{number}"
        python = [sys.executable, "-m", "gunicorn", "-c", "gunicorn_conf.py"]
        settings = {"HUSH_BIND": bind, "HUSH_WORKERS": "1", "HUSH_SLOTS": "1", "HUSH_DRAIN_FILE": str(drain)}
        gunicorn = self.spawn(str(number), python, f"gunicorn-{number}.log", **settings)
        prefix = self.folder / f"nginx-{number}"
        write(Gateway(listen="8080", upstream=bind, rate=0, workers="1", user="root"), prefix)
        nginx = self.spawn(str(number), nginx_command(str(NGINX), prefix), f"nginx-{number}.log")
        self.instances[number] = Instance(f"{NETWORK}.{number}", drain, gunicorn, nginx)

    def start_balancers(self) -> None:
        """haproxy on port 80, nginx on port 81."""
        servers = "".join(f"    server i{number} {NETWORK}.{number}:8080\n" for number in NUMBERS)
        haproxy = self.folder / "haproxy.cfg"
        haproxy.write_text(HAPROXY.format(balancer=BALANCER, servers=servers))
        self.spawn("lb", [program("haproxy", "haproxy"), "-f", str(haproxy)], "haproxy.log")
        servers = "".join(
            f"        server {NETWORK}.{number}:8080 max_fails=1 fail_timeout=2s;\n" for number in NUMBERS
        )
        (self.folder / "balancer.conf").write_text(RETRYING.format(balancer=BALANCER, servers=servers))
        command = [str(NGINX), "-p", str(self.folder), "-c", "balancer.conf", "-e", "balancer.log", "-g", "daemon off;"]
        self.spawn("lb", command, "balancer.out")

    def answers(self, url: str) -> bool:
        """Whether /readyz there is 200, asked from the balancers' namespace."""
        curl = [program("curl", "curl"), "-sf", "-o", "/dev/null", "-m", "20", f"{url}/readyz"]
        return run("ip", "netns", "exec", f"{self.prefix}lb", *curl).returncode == 0

    @contextmanager
    def load(self, port: int, clients: int = 4) -> Iterator[dict[str, Any]]:
        """tests/cloud/client_load.py in the balancers' namespace; what it has seen is in the dictionary afterwards."""
        recording, stop, report = (self.folder / name for name in ("a.wav", f"stop-{port}", f"report-{port}.json"))
        recording.write_bytes(RECORDING)
        script = str(ROOT / "tests" / "cloud" / "client_load.py")
        url = f"http://{BALANCER}:{port}"
        process = self.spawn(
            "lb", [sys.executable, script, url, str(recording), str(clients), str(stop), str(report)], "load"
        )
        seen: dict[str, Any] = {}

        def requests() -> int:
            return int(json.loads(report.read_text())["requests"]) if report.exists() else 0

        wait_for(lambda: requests() > 10, 60, "load")
        yield seen
        count = requests()
        wait_for(lambda: requests() > count + 20, 60, "load after the fault")
        stop.touch()
        process.wait(120)
        seen.update(json.loads(report.read_text()))


def call(*command: str) -> None:
    """A command that must succeed."""
    done = run(*command)
    assert done.returncode == 0, f"{command}: {done.stdout}"


@contextmanager
def start_group(folder: Path, sockets: Path) -> Iterator[Group]:
    """Everything, ready; taken away with the block."""
    with ExitStack() as held:
        group = Group(folder, f"f{os.getpid()}-", held)
        group.make_network()
        for number in NUMBERS:
            group.launch(number, sockets)
        for instance in group.instances.values():
            wait_for(lambda i=instance: group.answers(f"http://{i.address}:8080"), 180, instance.address)  # type: ignore[misc]
        group.start_balancers()
        for port in (80, 81):
            wait_for(lambda port=port: group.answers(f"http://{BALANCER}:{port}"), 60, f"balancer {port}")  # type: ignore[misc]
        time.sleep(2)  # haproxy has asked every instance
        yield group
