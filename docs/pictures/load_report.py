"""Takes the picture of a report of JMeter with a real Chromium: python -m docs.pictures.load_report FOLDER/report."""

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import CHROMIUM, DRIVER, MISSING, open_chromium, show_as
from tests.servers import ROOT

PICTURE = ROOT / "jmeter" / "dashboard.png"
COLOURS = 64
SIZE = (1300, 660)  # CSS pixels of the dashboard that are shown
CHART = "codesPerSecond"  # of the page Throughput: 200 level off and 503 begin


def take(browser: Chrome, report: Path, output: Path) -> None:
    """The top of the dashboard, and below it the answers a second by their status, as one picture."""
    browser.get((report / "index.html").resolve().as_uri())
    wait_until(browser, "return document.querySelectorAll('#statisticsTable tbody tr').length > 1")
    dashboard = opened(browser.get_screenshot_as_png())
    browser.get((report / "content" / "pages" / "Throughput.html").resolve().as_uri())
    browser.find_element(By.CSS_SELECTOR, f"#{CHART} .click-title").click()  # drawn when it is opened
    wait_until(browser, f"return document.querySelector('#{CHART} .legendColorBox') !== null")
    time.sleep(1)  # it opens by sliding
    chart = opened(browser.find_element(By.ID, CHART).screenshot_as_png)
    both = Image.new("RGB", (max(dashboard.width, chart.width), dashboard.height + chart.height), "white")
    both.paste(dashboard, (0, 0))
    both.paste(chart, ((both.width - chart.width) // 2, dashboard.height))
    both.quantize(COLOURS, dither=Image.Dither.NONE).save(output, optimize=True)


def opened(png: bytes) -> Image.Image:
    """A screenshot."""
    return Image.open(io.BytesIO(png)).convert("RGB")


def wait_until(browser: Chrome, script: str) -> None:
    """The pages are drawn by scripts; raises TimeoutException after a minute."""
    WebDriverWait(browser, 60).until(lambda page: page.execute_script(script))


def main() -> None:
    """Reads the command line, starts the browser."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("report", type=Path, help="folder with index.html")
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    if CHROMIUM is None or DRIVER is None:
        sys.exit(MISSING)
    voice = ROOT / "tests" / "data" / "voice.wav"
    with tempfile.TemporaryDirectory() as name, open_chromium(Path(name), voice=voice) as browser:
        show_as(browser, scheme="light", width=SIZE[0], height=SIZE[1])
        take(browser, options.report, options.output)


if __name__ == "__main__":
    main()
