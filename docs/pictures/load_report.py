"""Takes the picture of a report of JMeter with a real Chromium: python -m docs.pictures.load_report FOLDER/report."""

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import CHROMIUM, DRIVER, MISSING, open_chromium, show_as
from tests.servers import ROOT

PICTURE = ROOT / "jmeter" / "dashboard.png"
COLOURS = 64
SIZE = (1500, 1300)  # CSS pixels: summary and the statistics of every kind of recording


def take(browser: Chrome, report: Path, output: Path) -> None:
    """Opens the dashboard, waits until it is drawn, and saves what the window shows."""
    show_as(browser, scheme="light", width=SIZE[0], height=SIZE[1])
    browser.get((report / "index.html").resolve().as_uri())
    drawn = "return document.querySelectorAll('#statisticsTable tbody tr').length > 1"
    WebDriverWait(browser, 60).until(lambda page: page.execute_script(drawn))
    screen = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    screen.quantize(COLOURS, dither=Image.Dither.NONE).save(output, optimize=True)


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
        take(browser, options.report, options.output)


if __name__ == "__main__":
    main()
