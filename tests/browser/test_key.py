"""A service that demands API keys, from the listening page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from api.keys import new
from tests.browser.page import at, choose, enhance
from tests.browser.test_looks import CONTRASTS, UNNAMED
from tests.servers import Server, start_gunicorn, wait_for

KEY, LINE = new("browser")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "keys").write_text(LINE)
    with start_gunicorn(folder, HUSH_API_KEYS_FILE=str(folder / "keys")) as server:
        yield server


def models(browser: Chrome) -> list[object]:
    return list(browser.find_elements("css selector", "#model option"))


def test_the_key_is_asked_for_and_used(browser: Chrome, guarded: Server, clips: Path):
    browser.get(f"{guarded.url}/")
    wait_for(lambda: at(browser, "key-form").is_displayed(), 20, "the field for the key")
    assert browser.execute_script(UNNAMED) == []
    assert browser.execute_script(CONTRASTS) == {}
    at(browser, "key").send_keys("browser.wrong")
    at(browser, "key-form").submit()
    wait_for(lambda: "not known" in at(browser, "error").text, 20, "refusal")
    assert at(browser, "key-form").is_displayed()
    assert models(browser) == []

    at(browser, "key").send_keys(KEY)
    at(browser, "key-form").submit()
    wait_for(lambda: models(browser), 20, "the models")
    assert not at(browser, "key-form").is_displayed()
    choose(browser, clips / "noisy.wav")
    assert enhance(browser).startswith("Done")

    browser.refresh()  # kept as long as the tab
    wait_for(lambda: models(browser), 20, "the models")
    assert not at(browser, "key-form").is_displayed()


def test_nobody_is_asked_where_there_are_no_keys(page: Chrome):
    assert not at(page, "key-form").is_displayed()
