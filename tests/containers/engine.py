"""podman as the engine behind Docker's API, and docker-compose in front of it.

Images, containers, volumes and networks are in folders of the test. Where systemd does not run, podman leaves the
checks of health undone; here a thread asks for them.
"""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.machines import wait_for
from tests.cloud.programs import ROOT, SYSTEM, program, run
from tests.containers.builder import Builder

# runc, because crun refuses cgroups of both versions side by side; limits that this process may hand on.
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=8000:8000"]
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
compat_api_enforce_docker_hub = false
"""
PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "conmon": "conmon",
    "catatonit": "catatonit",
    "iptables": "iptables",
    "docker-compose": "docker-compose",
}
SECONDS_BETWEEN_CHECKS = 2.0


def need_engine() -> None:
    """Skips unless containers can be started here."""
    if os.geteuid() != 0:
        pytest.skip("the engine needs root for networks and published ports")
    for name, package in PROGRAMS.items():
        program(name, package)
    if not any(Path(folder, "netavark").exists() for folder in ("/usr/lib/podman", "/usr/libexec/podman")):
        pytest.skip("netavark is not installed (Debian: apt-get install netavark)")


@dataclass(frozen=True)
class Engine:
    """podman on a builder's images, and compose.yaml with it."""

    builder: Builder
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)  # those that compose.yaml asks for

    def environment(self) -> dict[str, str]:
        """Of podman and docker-compose: this process's, with the variables."""
        own = {"CONTAINERS_CONF": str(self.folder / "containers.conf"), "DOCKER_HOST": f"unix://{self.folder}/socket"}
        path = os.pathsep.join([os.environ.get("PATH", ""), SYSTEM])  # netavark looks for iptables there
        return {**os.environ, **self.variables, **own, "PATH": path}

    def command(self, *arguments: str) -> list[str]:
        """A call of podman on the builder's storage."""
        storage = ["--root", str(self.builder.folder / "root"), "--runroot", str(self.builder.folder / "run")]
        return [program("podman", "podman"), *storage, "--storage-driver", "overlay", *arguments]

    def podman(self, *arguments: str, seconds: float = 60) -> str:
        """Its output; fails the test with it unless it succeeds."""
        done = run(*self.command(*arguments), seconds=seconds, env=self.environment())
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout.strip()

    def listed(self, what: str) -> list[str]:
        """Names of what there is: container, volume, network."""
        name = "{{.Names}}" if what == "container" else "{{.Name}}"
        every = ("--all",) if what == "container" else ()
        return sorted(self.podman(what, "ls", *every, "--format", name).split())

    def inspect(self, container: str) -> dict[str, Any]:
        """What podman knows of a container."""
        return dict(json.loads(self.podman("container", "inspect", container))[0])

    def inside(self, container: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """A further command in a running container, under its user."""
        return run(*self.command("exec", container, *command), env=self.environment())

    def compose(self, *arguments: str, seconds: float = 300) -> str:
        """`docker compose ...` of the documents; fails the test with the output unless it succeeds."""
        done = run(*self.compose_command(*arguments), seconds=seconds, env=self.environment(), cwd=ROOT)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{self.words()}"
        return done.stdout

    def compose_command(self, *arguments: str) -> list[str]:
        """docker-compose on compose.yaml, but for the line that names the project: version 1 knows an option only."""
        lines = (ROOT / "compose.yaml").read_text().splitlines(keepends=True)
        assert "name: hush\n" in lines
        file = self.folder / "compose.yaml"
        file.write_text("".join(line for line in lines if line != "name: hush\n"))
        options = ["--project-directory", str(ROOT), "--project-name", "hush", "--file", str(file)]
        return [program("docker-compose", "docker-compose"), *options, *arguments]

    def words(self, lines: int = 30) -> str:
        """The end of what each container has written."""
        names = self.listed("container")
        return "\n".join(f"{name}: {self.podman('logs', '--tail', str(lines), name)}" for name in names)


@contextmanager
def started(builder: Builder, folder: Path, **variables: str) -> Iterator[Engine]:
    """An engine that answers on its socket; with the block its containers, volumes and networks end."""
    engine = Engine(builder, folder, variables)
    (folder / "networks").mkdir(parents=True)
    (folder / "containers.conf").write_text(CONFIGURATION.format(folder=folder))
    ended = threading.Event()
    with (folder / "service.log").open("wb") as log:
        service = engine.command("system", "service", "--time", "0", f"unix://{folder}/socket")
        process = subprocess.Popen(service, stdout=log, stderr=subprocess.STDOUT, env=engine.environment())
        checks = threading.Thread(target=check_health, args=(engine, ended), daemon=True)
        try:
            checks.start()
            wait_for((folder / "socket").is_socket, 30, "the engine's socket")
            yield engine
        finally:
            down = engine.compose_command("down", "--volumes", "--timeout", "20")
            try:
                run(*down, seconds=300, env=engine.environment(), cwd=ROOT)
            finally:
                ended.set()
                checks.join(60)
                process.terminate()
                process.wait(30)


def check_health(engine: Engine, ended: threading.Event) -> None:
    """Runs the check of every container that has one, as podman's timers do where systemd is."""
    names = engine.command("ps", "--format", "{{.Names}}", "--filter", "status=running")
    while not ended.wait(SECONDS_BETWEEN_CHECKS):
        for name in run(*names, env=engine.environment()).stdout.split():
            run(*engine.command("healthcheck", "run", name), env=engine.environment())
