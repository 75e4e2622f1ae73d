"""buildah at work on the Dockerfile, without an engine: storage of its own, `--isolation chroot`, which needs root.

The base image is a Debian made by debootstrap, under the name that the Dockerfile asks for; nothing is pulled.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.bakery import WHEELS, wheels
from tests.cloud.machines import CACHE, RELEASE
from tests.cloud.programs import ROOT, program, run

BASE = "docker.io/library/debian:bookworm-slim"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# As in the official image: apt leaves neither packages nor caches behind.
KEEP_NOTHING = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


@dataclass(frozen=True)
class Builder:
    """buildah with its images in `folder`."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """A call of buildah on this storage."""
        storage = ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run")]
        return [program("buildah", "buildah"), *storage, "--storage-driver", "overlay", *arguments]

    def call(self, *arguments: str, seconds: float = 1200) -> str:
        """Its output; fails the test with it unless it succeeds."""
        done = run(*self.command(*arguments), seconds=seconds, cwd=ROOT)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout.strip()

    def import_base(self) -> None:
        """The base image."""
        container = self.call("from", "scratch").splitlines()[-1]
        mounted = self.call("mount", container).splitlines()[-1]
        copied = run("cp", "-a", f"{debian()}/.", mounted, seconds=300)
        assert copied.returncode == 0, copied.stdout[-1000:]
        shutil.copy("/etc/resolv.conf", Path(mounted) / "etc" / "resolv.conf")
        shutil.rmtree(Path(mounted) / "var" / "cache" / "apt")
        (Path(mounted) / "etc" / "apt" / "apt.conf.d" / "docker-clean").write_text(KEEP_NOTHING)
        self.call("umount", container)
        self.call("commit", "--quiet", container, BASE)
        self.call("rm", container)

    def remove(self) -> None:
        """Takes the images away, and the mount that their storage has made of its own folder."""
        run("umount", str(self.folder / "root" / "overlay"))
        shutil.rmtree(self.folder, ignore_errors=True)

    def build(self, target: str, **arguments: str) -> str:
        """The image of a target of the Dockerfile; its name."""
        name = f"localhost/hush-{target}"
        given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--layers"]
        places = ["--volume", f"{wheels()}:{WHEELS}:ro"]
        self.call("bud", *options, *places, *given, "--target", target, "--tag", name, str(ROOT))
        return name

    def config(self, image: str) -> dict[str, Any]:
        """What an image says of itself: user, command, health check, ports."""
        return dict(json.loads(self.call("inspect", "--type", "image", image))["Docker"]["config"])

    @contextmanager
    def started(self, image: str, log: Path, *options: str, command: list[str]) -> Iterator["Container"]:
        """A container of an image with a process in it, which is ended with the block."""
        name = self.call("from", "--pull-never", image).splitlines()[-1]
        isolated = ["run", "--isolation", "chroot", *options, name, "--", *command]
        with log.open("wb") as output:
            process = subprocess.Popen(self.command(*isolated), stdout=output, stderr=subprocess.STDOUT)
        try:
            yield Container(self, name, process, log)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
            self.call("rm", name)


@dataclass(frozen=True)
class Container:
    """A running container; it shares the network of this machine."""

    builder: Builder
    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def still_runs(self) -> "Container":
        """Itself; fails the test with what it has written when its process has ended."""
        assert self.process.poll() is None, self.words()
        return self

    def words(self) -> str:
        """The end of what it has written."""
        return self.log.read_text(errors="replace")[-2000:]

    def run(self, *command: str, options: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        """A further command in it, under its user and variables."""
        return run(*self.builder.command("run", "--isolation", "chroot", *options, self.name, "--", *command))


def debian() -> Path:
    """The root of the base image, made once (a minute) and kept; skips where no mirror can be reached."""
    root = CACHE / f"{RELEASE}-slim"
    if root.exists():
        return root
    part = root.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    done = run(program("debootstrap", "debootstrap"), "--variant=minbase", RELEASE, str(part), seconds=600)
    if done.returncode != 0:
        pytest.skip(f"debootstrap cannot make a Debian here: {done.stdout[-300:]}")
    part.rename(root)
    return root


def need_builder() -> None:
    """Skips unless images can be built here."""
    if os.geteuid() != 0:
        pytest.skip("buildah --isolation chroot needs root")
    program("buildah", "buildah")
