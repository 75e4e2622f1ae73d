"""What a person does on the listening page, as functions."""

from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.servers import wait_for

SECONDS = 20.0


def at(browser: Chrome, identifier: str) -> WebElement:
    return browser.find_element(By.ID, identifier)


def status(browser: Chrome) -> str:
    return at(browser, "status").text


def wait_status(browser: Chrome, words: str) -> str:
    """Waits for the status to contain `words`; an error on the page ends the waiting."""
    wait_for(lambda: words in status(browser) or at(browser, "error").is_displayed(), SECONDS, f"status {words!r}")
    assert words in status(browser), at(browser, "error").text
    return status(browser)


def open_page(browser: Chrome, url: str) -> None:
    """Loads the page and waits for its lists."""
    browser.get(f"{url}/")
    wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "#model option"), SECONDS, "list of models")


def choose(browser: Chrome, file: Path) -> None:
    at(browser, "file").send_keys(str(file))
    wait_status(browser, "is loaded")


def enhance(browser: Chrome) -> str:
    at(browser, "enhance").click()
    return wait_status(browser, "Done")


def position(browser: Chrome) -> float:
    """Where the player is, in seconds."""
    return float(at(browser, "position").get_property("value"))  # type: ignore[arg-type]


def slide(browser: Chrome, identifier: str, value: float) -> None:
    """Moves a slider as a drag would."""
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
        at(browser, identifier),
        value,
    )
