"""What is too long for an answer at once becomes a job on the listening page, with progress and cancel."""

from pathlib import Path

from selenium.webdriver import Chrome

from tests.api.jobs.running import service
from tests.api.recordings import encoded, noise
from tests.browser.page import at, choose, enhance, open_page, status, wait_status
from tests.servers import wait_for


def test_a_long_recording_is_a_job(browser: Chrome, tmp_path: Path, chromium_folder: Path) -> None:
    clip = tmp_path / "meeting.wav"
    clip.write_bytes(encoded(noise(20.0)))
    with service(tmp_path, HUSH_MAX_SECONDS="5") as running:
        open_page(browser, running.url)
        choose(browser, clip)

        # Nobody works on it yet: it waits, and can be cancelled.
        at(browser, "enhance").click()
        assert wait_status(browser, "Waiting") == "Waiting: number 1 in the queue."
        assert at(browser, "progress").is_displayed()
        at(browser, "cancel").click()
        wait_status(browser, "Cancelled.")
        assert not at(browser, "progress").is_displayed()
        behind = running.submit(encoded(noise(1.0)))
        wait_for(lambda: running.job(behind)["position"] == 1, 10, "cancelled job, gone from the queue")

        consumer = running.start_consumer()
        words = enhance(browser)
        assert words.startswith("Done by ")
        assert status(browser) == words
        assert at(browser, "hear-after").is_selected()
        at(browser, "download").click()
        file = chromium_folder / "meeting enhanced.wav"
        wait_for(file.exists, 10, "download")
        assert consumer.log.count(" is done") == 2  # the first was cancelled
        assert len(file.read_bytes()) == clip.stat().st_size
