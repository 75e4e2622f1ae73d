"""docs/clients.md, run as it stands against the real server: in a shell, in Python, in Node and in Chromium."""

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.recordings import decoded
from tests.browser.chromium import CHROMIUM, DRIVER, MISSING, open_chromium
from tests.servers import ROOT

TEXT = (ROOT / "docs" / "clients.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
NODE = shutil.which("node")

Run = Callable[..., str]


def blocks(language: str) -> list[str]:
    """The examples in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(server: str, clips: Path, tmp_path: Path) -> Run:
    """Runs a command in a folder with the files that the examples name; its output. Fails where the command does."""
    shutil.copy(clips / "noisy.wav", tmp_path / "noisy.wav")
    shutil.copy(ROOT / "README.md", tmp_path / "README.md")
    (tmp_path / "recordings").mkdir()
    shutil.copy(clips / "noisy.wav", tmp_path / "recordings" / "a.wav")
    (tmp_path / "python").symlink_to(sys.executable)

    def called(*command: str) -> str:
        path = f"{tmp_path}:{os.environ['PATH']}"
        # The interpreter is reached by a link, which does not lead it to its packages.
        packages = os.pathsep.join([str(ROOT), *(item for item in sys.path if item)])
        environment = {**os.environ, "PATH": path, "PYTHONPATH": packages, "HUSH_API_KEY": "any"}
        replaced = [part.replace(ADDRESS, server) for part in command]
        ended = subprocess.run(
            replaced, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return called


def enhanced(path: Path, clips: Path) -> bool:
    """Whether the file is an answer to noisy.wav."""
    samples, rate = decoded(path.read_bytes())
    noisy, _ = decoded((clips / "noisy.wav").read_bytes())
    return rate == 16000 and samples.shape == noisy.shape and bool((samples != noisy).any())


def test_curl(run: Run, clips: Path, tmp_path: Path):
    first, keyed = [block for block in blocks("sh") if "curl" in block]
    assert '"available_models"' in run("bash", "-euo", "pipefail", "-c", first)
    assert enhanced(tmp_path / "clean.flac", clips)
    run("bash", "-euo", "pipefail", "-c", keyed)
    assert enhanced(tmp_path / "clean.wav", clips)


def test_command(run: Run, clips: Path, tmp_path: Path):
    (command,) = [block for block in blocks("sh") if "client" in block]
    assert run("bash", "-euo", "pipefail", "-c", command) == "1 recordings: 1 enhanced, 0 skipped, 0 failed\n"
    assert enhanced(tmp_path / "clean" / "a.wav", clips)


def test_python(run: Run, clips: Path, tmp_path: Path):
    with_package, alone = blocks("python")
    assert "urn:hush:problem:not-audio" in run(sys.executable, "-c", with_package)
    assert enhanced(tmp_path / "clean.flac", clips)
    run(sys.executable, "-c", alone)
    assert enhanced(tmp_path / "clean.wav", clips)


@pytest.mark.skipif(NODE is None, reason="the program node is not installed (Debian: apt-get install nodejs)")
def test_javascript_in_node(run: Run, clips: Path, tmp_path: Path):
    run(str(NODE), "--input-type=module", "-e", "\n".join(blocks("js")))
    assert enhanced(tmp_path / "clean.flac", clips)


@pytest.mark.skipif(NODE is not None, reason="the same example is run in Node already")
@pytest.mark.skipif(not CHROMIUM or not DRIVER, reason=MISSING)
def test_javascript_in_a_browser(server: str, clips: Path, tmp_path: Path):
    function = blocks("js")[0]
    script = """
        const done = arguments[arguments.length - 1];
        const noisy = new Blob([Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0))]);
        const text = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));
        enhance(location.origin, noisy, { model: arguments[1] })
            .then((clean) => done(text(clean)), (error) => done(`! ${error}`));
    """
    noisy = base64.b64encode((clips / "noisy.wav").read_bytes()).decode()
    with open_chromium(tmp_path, voice=clips / "voice.wav") as browser:
        browser.get(server)
        answer = browser.execute_async_script(function + script, noisy, "production")
        refused = browser.execute_async_script(function + script, noisy, "nobody")
    (tmp_path / "clean.wav").write_bytes(base64.b64decode(answer))
    assert enhanced(tmp_path / "clean.wav", clips)
    assert refused.startswith("! Error: There is no model 'nobody'")
