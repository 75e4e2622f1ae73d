"""Machines of one image, each in a network namespace, behind haproxy in a further one: the instances of a group."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud.bakery import Image
from tests.cloud.machines import Machine, wait_for
from tests.cloud.programs import cloud_tool, program, run

NETWORK = "10.98.0"
BALANCER = f"{NETWORK}.1"
METADATA = "169.254.169.254"
HERE = Path(__file__).parent
DRAIN_SECONDS = 5
PROXY = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 130s
    timeout server 130s
    timeout check 4s
    # Like a balancer in the cloud: a request that was sent is not sent again.
    retries 0
    option forwardfor
    option httpchk GET /readyz
frontend clients
    bind {balancer}:80
    default_backend instances
backend instances
    balance leastconn
    default-server check inter 1s fall 2 rise 2
{servers}
"""


def call(*command: str) -> None:
    """A command that must succeed."""
    done = run(*command)
    assert done.returncode == 0, f"{command}: {done.stdout}"


@dataclass
class Fleet:
    """The network, the balancer, and the machines by the last part of their address."""

    folder: Path
    image: Image
    prefix: str
    processes: ExitStack
    machines: dict[int, Machine] = field(default_factory=dict)

    def inside(self, *command: str) -> list[str]:
        """A command in the balancer's namespace."""
        return [program("ip", "iproute2"), "netns", "exec", f"{self.prefix}lb", *command]

    def spawn(self, *command: str) -> "subprocess.Popen[bytes]":
        """A process in the balancer's namespace, ended with the fleet."""
        log = self.processes.enter_context((self.folder / f"{Path(command[0]).name}.log").open("ab"))
        process = subprocess.Popen(self.inside(*command), stdout=log, stderr=subprocess.STDOUT)
        self.processes.callback(process.wait)
        self.processes.callback(process.terminate)
        return process

    def make_network(self) -> None:
        """The balancer's namespace with a bridge, which has the metadata service's address too."""
        space = f"{self.prefix}lb"
        call("ip", "netns", "add", space)
        call("ip", "-n", space, "link", "set", "lo", "up")
        call("ip", "-n", space, "link", "add", "br0", "type", "bridge")
        call("ip", "-n", space, "addr", "add", f"{BALANCER}/24", "dev", "br0")
        call("ip", "-n", space, "addr", "add", f"{METADATA}/32", "dev", "br0")
        call("ip", "-n", space, "link", "set", "br0", "up")

    def plug_in(self, number: int) -> str:
        """A namespace with an address on the bridge, for one machine."""
        space, balancer = f"{self.prefix}{number}", f"{self.prefix}lb"
        call("ip", "netns", "add", space)
        call(
            "ip",
            "link",
            "add",
            "host0",
            "netns",
            space,
            "type",
            "veth",
            "peer",
            "name",
            f"v{number}",
            "netns",
            balancer,
        )
        call("ip", "-n", balancer, "link", "set", f"v{number}", "master", "br0", "up")
        call("ip", "-n", space, "addr", "add", f"{NETWORK}.{number}/24", "dev", "host0")
        call("ip", "-n", space, "link", "set", "host0", "up")
        call("ip", "-n", space, "link", "set", "lo", "up")
        call("ip", "-n", space, "route", "add", METADATA, "dev", "host0")
        return space

    def start_balancer(self, numbers: list[int]) -> None:
        """haproxy, which knows every address that will be used; those without a machine are down."""
        servers = "".join(f"    server i{number} {NETWORK}.{number}:8080\n" for number in numbers)
        text = PROXY.format(socket=self.folder / "haproxy.sock", balancer=BALANCER, servers=servers)
        (self.folder / "haproxy.cfg").write_text(text)
        self.spawn(program("haproxy", "haproxy"), "-f", str(self.folder / "haproxy.cfg"))

    def start_amazon(self) -> None:
        """Metadata and auto-scaling API, in folder `group`."""
        (self.folder / "group").mkdir()
        script = str(HERE / "amazon_server.py")
        self.spawn(sys.executable, script, str(self.folder / "group"), f"{METADATA}:80", f"{BALANCER}:8081")

    def start_places_of_jobs(self) -> tuple[dict[str, str], str]:
        """Redis and S3 with a bucket at the balancer's address; an instance's settings and environment for them."""
        redis = ["--bind", BALANCER, "--protected-mode", "no", "--save", "", "--dir", str(self.folder)]
        self.spawn(program("redis-server", "redis-server"), *redis)
        python = str(Path(cloud_tool("moto_server")).parent / "python")
        self.spawn(python, str(HERE / "moto_corrected.py"), "-H", BALANCER, "-p", "5000")
        bucket = f"http://{BALANCER}:5000/hush-jobs"
        make = self.inside("curl", "-sf", "-X", "PUT", bucket)
        wait_for(lambda: run(*make).returncode == 0, 60, "the bucket")
        settings = {"HUSH_REDIS_URL": f"redis://{BALANCER}:6379", "HUSH_JOBS_BUCKET": "hush-jobs"}
        settings["HUSH_JOBS_REGION"] = "us-east-1"
        return settings, f"AWS_ENDPOINT_URL_S3=http://{BALANCER}:5000\n"

    def launch(self, number: int, settings: dict[str, str] | None = None, environment: str = "") -> Machine:
        """A new instance of the image with user data as the module fleet writes it; returns when it boots.

        `settings` are those of jobs, `environment` lines that the image would not have, such as moto's address.
        """
        folder = self.folder / f"i{number}"
        machine = Machine(f"i{number}", folder, self.image.layers, namespace=self.plug_in(number))
        machine.mount()
        seed = "var/lib/cloud/seed/nocloud"
        machine.write(f"{seed}/meta-data", json.dumps({"instance-id": f"i-{number}", "local-hostname": f"i{number}"}))
        machine.write(f"{seed}/user-data", user_data(settings or {}))
        with (machine.root / "etc/hush/hush.env").open("a") as file:
            file.write(environment)
        # The namespace is configured from outside.
        machine.write("etc/cloud/cloud.cfg.d/99-network.cfg", "network: {config: disabled}\n")
        machine.boot()
        self.machines[number] = machine
        return machine

    def said(self, number: int) -> list[str]:
        """What an instance has reported to the group."""
        file = self.folder / "group" / f"{NETWORK}.{number}.completed"
        return file.read_text().splitlines() if file.exists() else []

    def wait_in_service(self, number: int) -> float:
        """Until the instance has answered its launch hook and the balancer sends to it; seconds."""
        began = time.monotonic()
        wait_for(lambda: "hush-launch CONTINUE" in self.said(number), 300, f"launch of i{number}")
        wait_for(lambda: self.state(number) == "UP", 60, f"i{number} in the balancer")
        return time.monotonic() - began

    def terminate(self, number: int) -> float:
        """What the group does with an instance that goes: it waits for the hook, then the machine is gone; seconds."""
        began = time.monotonic()
        (self.folder / "group" / f"{NETWORK}.{number}.state").write_text("Terminated")
        wait_for(lambda: "hush-termination CONTINUE" in self.said(number), 300, f"termination of i{number}")
        seconds = time.monotonic() - began
        foreign = self.machines[number].inside("journalctl", "-q", "-g", "Failed to kill control group").stdout
        assert foreign == "", "machines share control groups"
        # Sooner, the balancer has not had its time to notice; later, somebody should know what was waited for.
        if not DRAIN_SECONDS <= seconds <= 2 * DRAIN_SECONDS + 5:
            print(self.machines[number].inside("journalctl", "-u", "hush*", "-n", "40", "--no-pager").stdout)
        self.machines.pop(number).remove()
        return seconds

    def state(self, number: int) -> str:
        """What haproxy thinks of an instance: UP, DOWN and steps between."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self.folder / "haproxy.sock"))
            admin.sendall(b"show stat\n")
            answer = b"".join(iter(lambda: admin.recv(65536), b"")).decode()
        rows = [line.split(",") for line in answer.splitlines()]
        column = rows[0].index("status")
        return next(row[column] for row in rows if row[:2] == ["instances", f"i{number}"])


def user_data(jobs: dict[str, str]) -> str:
    """As terraform/modules/fleet writes it (its own test compares the members), for this network."""
    instance = {
        "trusted_networks": [f"{NETWORK}.0/24"],
        "request_timeout_s": 120,
        "keepalive_s": 150,
        "client_rate": 0,
        "client_burst": 20,
        "body_limit_mb": 256,
        "drain_s": DRAIN_SECONDS,
        "log_group": "/hush",
        "settings": {"HUSH_WORKERS": "2", **jobs},
        "model_labels": {"production": "recurrent"},
        "lifecycle": {
            "region": "eu-central-1",
            "group": "hush",
            "launch_hook": "hush-launch",
            "termination_hook": "hush-termination",
            "autoscaling_url": f"http://{BALANCER}:8081/",
            "poll_s": 1.0,
        },
    }
    file = {"path": "/etc/hush/instance.json", "owner": "root:hush", "permissions": "0640"}
    made: dict[str, Any] = {"write_files": [{**file, "content": json.dumps(instance)}]}
    if jobs:
        drop_in = "/run/systemd/system/hush.service.d/network.conf"
        copy = ["install", "-D", "-m", "0644", "/opt/hush/app/packer/files/hush-network.conf", drop_in]
        made["bootcmd"] = [copy, ["systemctl", "daemon-reload"]]
    return "#cloud-config\n" + json.dumps(made)


@contextmanager
def start_fleet(folder: Path, image: Image, numbers: list[int]) -> Iterator[Fleet]:
    """The network and the balancer for machines with these numbers; everything is taken away with the block."""
    with ExitStack() as processes:
        fleet = Fleet(folder, image, f"h{os.getpid()}-", processes)
        try:
            fleet.make_network()
            fleet.start_amazon()
            fleet.start_balancer(numbers)
            yield fleet
        finally:
            for machine in fleet.machines.values():
                machine.remove()
            processes.close()
            for number in ["lb", *numbers]:
                run("ip", "netns", "del", f"{fleet.prefix}{number}")
