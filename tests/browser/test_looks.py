"""How the pages look and where they get their files from."""

import json
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import show_as
from tests.browser.page import choose, enhance, open_page
from tests.servers import wait_for

OVERFLOWING = """
const width = document.documentElement.clientWidth;
return [...document.body.querySelectorAll("*")]
  .filter((element) => !element.classList.contains("hidden") && element.getBoundingClientRect().right > width + 0.5)
  .map((element) => element.outerHTML.slice(0, 80));
"""
# Contrast of each text against what is behind it, WCAG 2.2 (1.4.3).
CONTRASTS = """
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parts(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = {};
for (const element of document.querySelectorAll("h1, h2, p, label, output, button:enabled, .button, a, figcaption")) {
  if (!element.checkVisibility() || !element.textContent.trim()) continue;
  const [one, other] = [light(parts(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5) found[element.outerHTML.slice(0, 80)] = ratio;
}
return found;
"""
UNNAMED = """
return [...document.querySelectorAll("button, input, select, a, progress, canvas")].filter((element) => !(
  element.textContent.trim() || element.getAttribute("aria-label") || element.labels?.length
)).map((element) => element.outerHTML.slice(0, 80));
"""


@pytest.mark.parametrize("width", [320, 390, 700])
def test_nothing_is_wider_than_a_phone(browser: Chrome, server: str, clips: Path, width: int):
    show_as(browser, scheme="light", width=width, height=800, mobile=True)
    open_page(browser, server)
    choose(browser, clips / "noisy.wav")
    enhance(browser)
    assert browser.execute_script(OVERFLOWING) == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(browser: Chrome, server: str, clips: Path, scheme: str):
    show_as(browser, scheme=scheme, width=1000, height=1000)
    open_page(browser, server)
    choose(browser, clips / "noisy.wav")
    enhance(browser)
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (min(map(int, ground[4:-1].split(","))) > 200) == (scheme == "light")
    assert browser.execute_script(CONTRASTS) == {}


def test_everything_has_a_name(page: Chrome):
    assert page.execute_script(UNNAMED) == []
    assert page.execute_script("return document.documentElement.lang") == "en"


def asked_for(browser: Chrome) -> set[str]:
    """Every address that was requested since the log was last read."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    }


def complaints(browser: Chrome) -> list[str]:
    """What the browser wrote to its console: scripts that failed, policies that were violated."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def test_the_page_asks_no_other_host_and_breaks_no_policy(page: Chrome, server: str, clips: Path):
    choose(page, clips / "noisy.wav")
    enhance(page)
    addresses = asked_for(page)
    assert {f"{server}/", f"{server}/models"} <= addresses
    assert {url for url in addresses if not url.startswith((f"{server}/", "blob:", "data:"))} == set()
    assert complaints(page) == []


def test_the_policy_holds(page: Chrome):
    """An inline script that got into the page would not run."""
    page.execute_script(
        "const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        "document.body.append(script)"
    )
    assert page.execute_script("return window.ran") is None
    assert any("Content Security Policy" in words for words in complaints(page))


def test_the_interface_can_be_read_and_tried(browser: Chrome, server: str, clips: Path):
    """Swagger UI: a recording is sent from the description of /predict and the answer shown."""
    browser.get(f"{server}/docs")
    within = "#operations-audio-post-predict"

    def click(place: str) -> None:
        wait_for(lambda: browser.find_elements("css selector", place), 20, f"{place} of Swagger UI")[0].click()

    click(f"{within} .opblock-summary")
    click(f"{within} .try-out__btn")
    words = browser.find_element("tag name", "main").text
    for name in ("/predict", "/mix-noise", "/models/{name}", "/healthz", "attenuation_limit_db"):
        assert name in words
    browser.find_element("css selector", f"{within} input[type=file]").send_keys(str(clips / "noisy.wav"))
    click(f"{within} .execute")
    live = f"{within} .live-responses-table .response-col_status"
    assert wait_for(lambda: browser.find_elements("css selector", live), 20, "answer")[-1].text.startswith("200")
    assert {url for url in asked_for(browser) if not url.startswith((f"{server}/", "data:", "blob:"))} == set()
    assert complaints(browser) == []
