"""The listening page in a real Chromium, as a person uses it."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.support.ui import Select

from tests.api.recordings import decoded, encoded, noise
from tests.browser.page import at, choose, enhance, open_page, position, slide, status, wait_status
from tests.browser.sound import loudness, tap_sound, untap_sound
from tests.servers import wait_for


@pytest.fixture
def heard(browser: Chrome, server: str) -> Iterator[Chrome]:
    """The page with a tap on its sound."""
    tap = tap_sound(browser)
    open_page(browser, server)
    yield browser
    untap_sound(browser, tap)


def picture(browser: Chrome, version: str) -> bytes:
    """The pixels of a spectrogram, as its own data URL."""
    return str(browser.execute_script("return arguments[0].toDataURL()", at(browser, f"{version}-picture"))).encode()


def test_lists_are_filled(page: Chrome, server: str):
    models = requests.get(f"{server}/models", timeout=10).json()["available_models"]
    options = Select(at(page, "model")).options
    assert {option.get_attribute("value") for option in options} == {model["key"] for model in models}
    (production,) = [model["key"] for model in models if "production" in model["labels"]]
    assert Select(at(page, "model")).first_selected_option.get_attribute("value") == production
    noises = requests.get(f"{server}/noise-types", timeout=10).json()["noise_types"]
    assert [option.text for option in Select(at(page, "noise")).options] == noises
    assert not at(page, "enhance").is_enabled()
    assert not at(page, "listening").is_displayed()


def test_upload_enhance_compare_download(page: Chrome, server: str, clips: Path, chromium_folder: Path):
    clip = clips / "noisy.wav"
    choose(page, clip)
    assert status(page) == "noisy.wav is loaded: 4.0 seconds."
    assert not at(page, "hear-after").is_enabled()
    words = enhance(page)
    assert re.fullmatch(r"Done by \S+ \S+ in \d+\.\d seconds\.", words)
    assert at(page, "hear-after").is_selected()
    before, after = (picture(page, version) for version in ("before", "after"))
    assert before != after
    assert min(len(before), len(after)) > 20_000  # not one colour
    at(page, "download").click()
    file = chromium_folder / "noisy enhanced.wav"
    wait_for(file.exists, 10, "download")
    direct = requests.post(f"{server}/predict", data=clip.read_bytes(), timeout=30)
    assert file.read_bytes() == direct.content


def test_one_click_between_versions_at_the_same_position(heard: Chrome, tmp_path: Path):
    """Noise alone: what is heard is loud before and nearly silent after, and the position runs on."""
    steady = tmp_path / "steady.wav"
    steady.write_bytes(encoded(noise(20.0)))
    choose(heard, steady)
    enhance(heard)
    at(heard, "play").click()
    wait_for(lambda: position(heard) > 1.0, 10, "playing")
    levels = []
    for version in ("before", "after", "before"):
        start, clock = position(heard), time.monotonic()
        heard.find_element("css selector", f"label[for=hear-{version}]").click()
        time.sleep(0.5)
        levels.append(loudness(heard))
        assert abs((position(heard) - start) - (time.monotonic() - clock)) < 0.3
        assert at(heard, "play").get_attribute("aria-label") == "Pause"
    assert levels[0] > 0.05
    assert levels[1] < 0.3 * levels[0]
    assert levels[2] > 0.05
    at(heard, "play").click()
    stopped = position(heard)
    time.sleep(0.3)
    assert position(heard) == stopped
    assert loudness(heard) < levels[0] / 10


def test_clicking_a_picture_plays_that_version_from_there(page: Chrome, clips: Path):
    choose(page, clips / "noisy.wav")
    enhance(page)
    at(page, "before-picture").click()  # in the middle
    assert at(page, "hear-before").is_selected()
    assert 1.9 < position(page) < 3.0
    wait_for(lambda: at(page, "play").get_attribute("aria-label") == "Play", 10, "end of the recording")
    assert position(page) == pytest.approx(4.0, abs=0.05)
    at(page, "play").click()
    assert position(page) < 1.0


def test_a_limit_leaves_noise(page: Chrome, tmp_path: Path, chromium_folder: Path):
    clip = tmp_path / "hiss.wav"
    clip.write_bytes(encoded(noise(3.0)))
    choose(page, clip)
    slide(page, "limit", 6)
    assert at(page, "limit-words").text == "up to 6 dB"
    enhance(page)
    at(page, "download").click()
    file = chromium_folder / "hiss enhanced.wav"
    wait_for(file.exists, 10, "download")
    kept, _ = decoded(file.read_bytes())
    change = 20 * np.log10(np.std(kept[16000:]) / 0.1)
    assert -6.5 < change < -3


def test_errors_are_shown_in_words_and_go_away(page: Chrome, clips: Path, tmp_path: Path):
    text = tmp_path / "letter.wav"
    text.write_text("Dear all, this is no recording. " * 20)
    choose(page, text)
    assert "cannot play it" in status(page)
    at(page, "enhance").click()
    wait_for(at(page, "error").is_displayed, 10, "error")
    problem = at(page, "error").text
    assert "decoded" in problem
    assert "{" not in problem
    assert status(page) == "That did not work."
    choose(page, clips / "noisy.wav")
    assert not at(page, "error").is_displayed()
    enhance(page)


def test_no_server_is_an_error_in_words(page: Chrome, clips: Path):
    choose(page, clips / "noisy.wav")
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    page.execute_cdp_cmd("Network.enable", {})
    page.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    try:
        at(page, "enhance").click()
        wait_for(at(page, "error").is_displayed, 10, "error")
        assert "cannot be reached" in at(page, "error").text
    finally:
        online = {**offline, "offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
        page.execute_cdp_cmd("Network.emulateNetworkConditions", online)


def test_cancel(page: Chrome, tmp_path: Path):
    long = tmp_path / "long.wav"
    long.write_bytes(encoded(noise(60.0)))
    choose(page, long)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    page.execute_cdp_cmd("Network.enable", {})
    page.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
    try:
        at(page, "enhance").click()
        assert wait_status(page, "Sending").endswith("%")
        assert at(page, "progress").is_displayed()
        at(page, "cancel").click()
        wait_status(page, "Cancelled.")
        assert not at(page, "progress").is_displayed()
    finally:
        page.execute_cdp_cmd("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})


def focused(browser: Chrome) -> str:
    return str(browser.switch_to.active_element.get_attribute("id"))


def test_keyboard_only(page: Chrome):
    """From the top of the page: mix, enhance, switch versions, move on, play."""

    def press(key: str) -> None:
        ActionChains(page).send_keys(key).perform()

    def go_to(identifier: str) -> None:
        for _ in range(20):
            if focused(page) == identifier:
                return
            press(Keys.TAB)
        raise AssertionError(f"{identifier} is not reached with the Tab key, but {focused(page)}")

    order = []
    for _ in range(8):
        press(Keys.TAB)
        order.append(focused(page))
    assert order == ["", "", "", "file", "record", "noise", "snr", "mix"]
    press(Keys.ENTER)
    wait_status(page, "Done")
    go_to("limit")
    press(Keys.ARROW_LEFT)
    assert at(page, "limit-words").text == "up to 39 dB"
    go_to("enhance")
    press(Keys.SPACE)
    wait_for(lambda: focused(page) == "enhance" and "Done" in status(page), 10, "second answer")
    go_to("hear-after")
    press(Keys.ARROW_LEFT)
    assert at(page, "hear-before").is_selected()
    go_to("position")
    for _ in range(5):
        press(Keys.PAGE_UP)
    assert position(page) > 1
    page.execute_script("document.getElementById('play').focus()")
    press(Keys.SPACE)
    assert at(page, "play").get_attribute("aria-label") == "Pause"
    press(Keys.SPACE)
    assert at(page, "play").get_attribute("aria-label") == "Play"
