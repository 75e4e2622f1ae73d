"""Packer at work: moto for EC2, and a machine that it provisions over SSH."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cloud.aws import REGION, Cloud, free_port
from tests.cloud.machines import USER, Machine, base_root, wait_for
from tests.cloud.programs import ROOT, program, run

# An image that moto knows and that passes the template's filter; what is provisioned is our own machine.
BASE = {"base_owner": "099720109477", "base_name": "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-*"}
WHEELS = "/opt/wheels"
PYTHON = "3.11"


@dataclass(frozen=True)
class Image:
    """What a bake has made."""

    layers: tuple[Path, ...]  # of a machine that is started from it
    log: str
    seconds: float
    commit: str
    manifest: Path


def snapshot(folder: Path) -> str:
    """A repository of its own with the working tree as its only commit, whose id is returned."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.split("\0")
    for name in listed:
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "The tree under test"]):
        done = run("git", *command, cwd=folder)
        assert done.returncode == 0, done.stdout
    return run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()


def wheels() -> Path:
    """Every pinned wheel, fetched once by the hashes of the lock; skips where no index can be asked."""
    folder = ROOT / ".run" / "machines" / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    lock = str(ROOT / "packer" / "requirements.lock")
    # For the machine's Python, which is the release's and not necessarily that of the tests.
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "-q"]
    done = run(sys.executable, "-m", "pip", "download", *options, "-d", str(folder), "-r", lock, seconds=900)
    if done.returncode != 0:
        pytest.skip(f"the pinned wheels cannot be had here: {done.stdout[-300:]}")
    return folder


def open_for_ssh(machine: Machine, folder: Path, port: int) -> Path:
    """Lets a new key in on a port of the loopback address; gives the private key."""
    key = folder / "key"
    assert run(program("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)).returncode == 0
    home = Path("home", USER)
    machine.write(f"{home}/.ssh/authorized_keys", key.with_suffix(".pub").read_text())
    run("chroot", str(machine.root), "chown", "-R", f"{USER}:{USER}", f"/{home}/.ssh")
    machine.write("etc/ssh/sshd_config.d/bake.conf", f"Port {port}\nListenAddress 127.0.0.1\n")
    run("chroot", str(machine.root), "ssh-keygen", "-A")
    return key


def build_machine(folder: Path) -> Machine:
    """A machine over the base, not yet booted, with the wheels at hand."""
    machine = Machine("bake", folder, (base_root(),), binds={wheels(): WHEELS})
    machine.mount()
    (machine.root / WHEELS.lstrip("/")).mkdir(parents=True, exist_ok=True)
    return machine


def packer(repository: Path, cloud: Cloud, port: int, key: Path) -> "subprocess.CompletedProcess[str]":
    """packer/bake of that repository, against moto and the machine."""
    variables = {
        **BASE,
        "ec2_endpoint": cloud.url,
        "ssh_host": "127.0.0.1",
        "ssh_port": str(port),
        "ssh_key_file": str(key),
        "wheels": WHEELS,
        "install_agents": "false",
    }
    options = [word for name, value in variables.items() for word in ("-var", f"{name}={value}")]
    environment = {**os.environ, **cloud.environment, "REGION": REGION, "BUILDER_CIDR": "127.0.0.1/32"}
    environment |= {"CHECKPOINT_DISABLE": "1"}
    bake = str(repository / "packer" / "bake")
    return run(bake, "build", "-color=false", *options, cwd=repository, env=environment, seconds=900)


def bake(folder: Path, cloud: Cloud) -> Image:
    """The whole bake; fails the test with Packer's words where it does not succeed."""
    program("packer", "packer")
    repository = folder / "repository"
    repository.mkdir()
    commit = snapshot(repository)
    machine, port = build_machine(folder / "machine"), free_port()
    try:
        key = open_for_ssh(machine, folder, port)
        machine.boot()
        wait_for(lambda: answers_ssh(port, key), 60, "sshd of the machine")
        began = time.monotonic()
        done = packer(repository, cloud, port, key)
        seconds = time.monotonic() - began
        assert done.returncode == 0, done.stdout[-2500:]
    finally:
        machine.remove()
    forget_ssh_port(machine)
    layers = (machine.upper, *machine.layers)
    return Image(layers, done.stdout, seconds, commit, repository / "hush-manifest.json")


def forget_ssh_port(machine: Machine) -> None:
    """The port that the test gave to sshd belongs to the bake, not to the image."""
    (machine.upper / "etc/ssh/sshd_config.d/bake.conf").unlink()


def answers_ssh(port: int, key: Path) -> bool:
    """Whether the user can log in."""
    unknown = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=2"]
    ssh = program("ssh", "openssh-client")
    return run(ssh, "-q", *unknown, "-i", str(key), "-p", str(port), f"{USER}@127.0.0.1", "true").returncode == 0
