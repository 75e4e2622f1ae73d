"""Takes the picture of the listening page with a real Chromium: python -m docs.pictures.listening_page (make picture).

Further arguments: --scheme dark, --width 390, --output FILE, --empty (before anything is loaded).
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome

from tests.browser.chromium import CHROMIUM, DRIVER, MISSING, open_chromium, show_as
from tests.browser.page import choose, enhance, open_page, slide
from tests.servers import ROOT, start_gunicorn

PICTURE = ROOT / "docs" / "pictures" / "listening_page.png"
COLOURS = 96  # a third of the size of the whole palette, and no difference to see


def take(browser: Chrome, url: str, options: argparse.Namespace) -> None:
    """Loads the noisy clip, enhances it and saves the whole page."""
    show_as(browser, scheme=options.scheme, width=options.width, height=900, mobile=options.width < 600)
    open_page(browser, url)
    if not options.empty:
        choose(browser, ROOT / "tests" / "data" / "noisy.wav")
        enhance(browser)
        slide(browser, "position", 1.2)
    height = int(browser.execute_script("return document.documentElement.scrollHeight"))
    show_as(browser, scheme=options.scheme, width=options.width, height=height, mobile=options.width < 600)
    screen = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    screen.quantize(COLOURS, dither=Image.Dither.NONE).save(options.output, optimize=True)


def main() -> None:
    """Reads the command line, starts server and browser."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    if CHROMIUM is None or DRIVER is None:
        sys.exit(MISSING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        voice = ROOT / "tests" / "data" / "voice.wav"
        with (
            start_gunicorn(folder, HUSH_WORKERS="1") as server,
            open_chromium(folder, voice=voice) as browser,
        ):
            take(browser, server.url, options)


if __name__ == "__main__":
    main()
