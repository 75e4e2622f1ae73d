"""One browser for all tests of the pages; each test loads its page anew."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import CHROMIUM, DRIVER, MISSING, open_chromium, show_as
from tests.browser.page import open_page


@pytest.fixture(scope="session")
def chromium_folder() -> Iterator[Path]:
    """Where the browser keeps its profile and its downloads: a short path, because it puts a socket there."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def chromium(chromium_folder: Path, clips: Path) -> Iterator[Chrome]:
    """The browser; skips where there is none."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip(MISSING)
    with open_chromium(chromium_folder, voice=clips / "voice.wav") as browser:
        yield browser


@pytest.fixture
def browser(chromium: Chrome) -> Chrome:
    """The browser on a light screen of common size, its logs emptied."""
    show_as(chromium, scheme="light", width=1200, height=1000)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    return chromium


@pytest.fixture
def page(browser: Chrome, server: str) -> Chrome:
    """The browser with the listening page of the test run's server."""
    open_page(browser, server)
    return browser
