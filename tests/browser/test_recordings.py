"""The ways in which a recording comes to the listening page."""

import re
from pathlib import Path

import numpy as np
import requests
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import Select

from tests.api.recordings import decoded, encoded, noise
from tests.browser.page import at, choose, enhance, slide, status, wait_status
from tests.servers import wait_for


def test_the_sample_is_mixed_and_enhanced_in_one_step(page: Chrome):
    Select(at(page, "noise")).select_by_visible_text("white")
    slide(page, "snr", 0)
    assert at(page, "snr-words").text == "0 dB"
    at(page, "mix").click()
    wait_status(page, "Done")
    assert at(page, "name").text == "sample with white noise.wav"
    assert at(page, "hear-after").is_selected()


def test_the_microphone(page: Chrome):
    """Chromium's microphone hears the clip over and over."""
    at(page, "record").click()
    wait_for(lambda: at(page, "record").text == "Stop 0:01", 10, "recording")
    at(page, "record").click()
    words = wait_status(page, "is loaded")
    seconds = float(re.search(r"([\d.]+) seconds", words).group(1))  # type: ignore[union-attr]
    assert 0.5 < seconds < 4
    assert at(page, "record").text == "Record"
    enhance(page)


def test_dropping_a_file(page: Chrome, clips: Path):
    """The browser's own drag and drop needs a desktop; the event is what the page gets of it."""
    content = list((clips / "noisy.wav").read_bytes())
    page.execute_script(
        """const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(arguments[0])], "dropped.wav"));
        document.body.dispatchEvent(
          new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));""",
        content,
    )
    wait_status(page, "dropped.wav is loaded: 4.0 seconds")


def test_what_only_the_browser_reads_is_converted(page: Chrome, server: str):
    """A WebM file, made by the browser's own recorder: the service refuses those."""
    page.find_element("tag name", "h1").click()  # browsers make no sound before the first click
    made = page.execute_async_script(
        """const done = arguments[0];
        const context = new AudioContext();
        const target = context.createMediaStreamDestination();
        new OscillatorNode(context).connect(target);
        const recorder = new MediaRecorder(target.stream, { mimeType: "audio/webm" });
        const pieces = [];
        recorder.ondataavailable = ({ data }) => pieces.push(data);
        recorder.onstop = async () => {
          const files = new DataTransfer();
          files.items.add(new File(pieces, "memo.webm"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
          done([...new Uint8Array(await new Blob(pieces).arrayBuffer())]);
        };
        recorder.start();
        setTimeout(() => recorder.stop(), 700);"""
    )
    refused = requests.post(f"{server}/predict", data=bytes(made), timeout=10)
    assert refused.json()["type"] == "urn:hush:problem:unsupported-codec"
    wait_status(page, "memo.webm is loaded")
    enhance(page)
    assert at(page, "hear-after").is_selected()


def test_a_long_recording_is_enhanced_without_being_shown(page: Chrome, tmp_path: Path, chromium_folder: Path):
    long = tmp_path / "long.flac"
    frames = np.zeros((601 * 8000, 1), np.float32)
    frames[:8000] = noise(1.0, rate=8000)
    long.write_bytes(encoded(frames, rate=8000, container="FLAC"))
    choose(page, long)
    assert "longer than 10 minutes" in status(page)
    enhance(page)
    assert not at(page, "comparison").is_displayed()
    at(page, "download").click()
    file = chromium_folder / "long enhanced.wav"
    wait_for(file.exists, 20, "download")
    assert len(decoded(file.read_bytes())[0]) == 601 * 8000
