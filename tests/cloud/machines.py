"""Real systemd machines on this one: a Debian root, overlays over it, booted by systemd-nspawn. Needs root.

    base (debootstrap, kept in .run/machines) <- what Packer provisions <- each instance

A machine either shares this machine's network (the bake, which asks mirrors for packages) or has a namespace of its own
on a private bridge (the fleet).
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cloud.programs import ROOT, program, run

RELEASE = "bookworm"
CACHE = ROOT / ".run" / "machines"
USER = "admin"
# What Debian's cloud images bring, as far as a bake and a boot need it.
PACKAGES = "systemd,systemd-sysv,dbus,udev,openssh-server,sudo,python3,curl,ca-certificates,iproute2"
PREPARE = f"""set -e
useradd --create-home --shell /bin/bash {USER}
echo '{USER} ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-{USER}
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends cloud-init
rm /usr/sbin/policy-rc.d
systemctl mask systemd-networkd-wait-online.service networking.service
rm -f /etc/ssh/ssh_host_*
"""


def need_machines() -> None:
    """Skips unless machines can be booted here."""
    if os.geteuid() != 0:
        pytest.skip("booting machines needs root")
    for name, package in (("systemd-nspawn", "systemd-container"), ("debootstrap", "debootstrap"), ("ip", "iproute2")):
        program(name, package)


def base_root() -> Path:
    """The root of a fresh Debian, made once (one to two minutes) and kept; skips where no mirror can be reached."""
    root = CACHE / f"{RELEASE}-base"
    if (root / "complete").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    command = [program("debootstrap", "debootstrap"), "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(root)]
    done = run(*command, seconds=600)
    if done.returncode != 0:
        pytest.skip(f"debootstrap cannot make a Debian here: {done.stdout[-300:]}")
    sources = root / "etc" / "apt" / "sources.list"
    mirror = sources.read_text().split()[1]  # deb MIRROR RELEASE main, as debootstrap wrote it
    updates = f"deb {mirror} {RELEASE}-updates main\ndeb {mirror}-security {RELEASE}-security main\n"
    sources.with_name("sources.list.d").joinpath("updates.list").write_text(updates)
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    done = run("chroot", str(root), "sh", "-c", PREPARE, seconds=600)
    assert done.returncode == 0, done.stdout[-3000:]
    (root / "complete").touch()
    return root


@dataclass
class Machine:
    """A root made of layers, the uppermost its own, and the container that runs it."""

    name: str
    folder: Path
    layers: tuple[Path, ...]  # uppermost first
    namespace: str = ""
    binds: dict[Path, str] = field(default_factory=dict)  # folder of this machine -> place in that one, read-only
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def root(self) -> Path:
        """Where its file system can be seen while it is mounted."""
        return self.folder / "root"

    @property
    def upper(self) -> Path:
        """What it has changed against its layers."""
        return self.folder / "upper"

    def mount(self) -> None:
        """Puts the layers together and gives the machine its name."""
        for part in ("root", "upper", "work"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        layers = f"lowerdir={':'.join(map(str, self.layers))},upperdir={self.upper},workdir={self.folder / 'work'}"
        done = run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        assert done.returncode == 0, done.stdout
        self.write("etc/hostname", f"{self.name}\n")
        self.write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")

    def write(self, path: str, text: str) -> Path:
        """A file in its root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def boot(self) -> None:
        """Starts it; returns at once."""
        options = ["--quiet", "-D", str(self.root), "-M", self.name, "--boot", "--register=no", "--keep-unit"]
        options += ["--kill-signal=SIGRTMIN+3"]
        options += [f"--network-namespace-path=/run/netns/{self.namespace}"] if self.namespace else []
        options += ["--resolv-conf=off"] if self.namespace else ["--resolv-conf=copy-host"]
        options += [f"--bind-ro={folder}:{place}" for folder, place in self.binds.items()]
        # nspawn --boot wants a terminal; script gives it one.
        nspawn = " ".join([program("systemd-nspawn", "systemd-container"), *options])
        enter = "; ".join(f"echo $$ >{group}/cgroup.procs" for group in self._control_groups(make=True))
        command = ["sh", "-c", f'{enter}; exec "$@"', "sh", "script", "-qefc", nspawn]
        quiet = subprocess.DEVNULL
        console = str(self.folder / "console.log")
        self.process = subprocess.Popen([*command, console], stdin=quiet, stdout=quiet, stderr=quiet)

    def _control_groups(self, *, make: bool) -> list[Path]:
        """A group of its own in every hierarchy that nspawn may go by; `make` makes them.

        Machines in one group would share the groups of their services: each systemd finds processes there that it
        cannot name, and neither sees a service end nor ends all of it.
        """
        mounted = Path("/sys/fs/cgroup")
        # Version 1, version 1 with 2 beside it (nspawn goes by `unified`), version 2.
        trees = [tree for tree in (mounted / "systemd", mounted / "unified") if tree.is_dir()] or [mounted]
        groups = [tree / f"hush-test-{os.getpid()}-{self.name}" for tree in trees]
        for group in groups if make else ():
            group.mkdir(exist_ok=True)
        return groups

    def _leave_control_groups(self) -> None:
        """Takes the groups away, innermost first, as far as nobody is left in them."""
        for group in self._control_groups(make=False):
            inner = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
            for folder in [*inner, group]:
                with suppress(OSError):
                    folder.rmdir()

    def inside(self, *command: str, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        """A command in its namespaces, by its first process."""
        return run("nsenter", "--all", "--target", str(self.init()), *command, seconds=seconds)

    def init(self) -> int:
        """The process that is number 1 there: the child of nspawn, which is the child of script."""
        assert self.process is not None
        found = self.process.pid
        for _ in range(2):
            children = Path(f"/proc/{found}/task/{found}/children").read_text().split()
            assert children, f"{self.name} does not run: {self.console()}"
            found = int(children[-1])
        return found

    def console(self) -> str:
        """The end of what it has written on its console."""
        file = self.folder / "console.log"
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""

    def power_off(self, seconds: float = 60) -> None:
        """An orderly end; killed when it takes too long."""
        if self.process is None:
            return
        nspawn = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in nspawn:
            os.kill(int(child), signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            for child in nspawn:
                os.kill(int(child), signal.SIGKILL)
            self.process.wait(10)
        self.process = None

    def remove(self) -> None:
        """Ends it and takes its file system away; what it has changed stays in `upper`."""
        self.power_off(20)
        self._leave_control_groups()
        run("umount", "--lazy", str(self.root))


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Polls until `condition` is true and gives the seconds it took; fails with `what` after too many."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.1)
    return time.monotonic() - began
