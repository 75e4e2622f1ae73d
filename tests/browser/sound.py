"""What the page lets be heard: a tap on everything that goes to the loudspeaker."""

from selenium.webdriver import Chrome

# Before any script of a page: what is connected to a destination is connected to an analyser as well.
TAP = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    window.tap ??= new AnalyserNode(this.context, { fftSize: 8192 });
    connect.call(this, window.tap);
  }
  return connect.call(this, target, ...rest);
};
"""
LOUDNESS = """
if (!window.tap) return 0;
const samples = new Float32Array(window.tap.fftSize);
window.tap.getFloatTimeDomainData(samples);
return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
"""


def tap_sound(browser: Chrome) -> str:
    """From the next page on; gives what `untap_sound` needs."""
    return str(browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": TAP})["identifier"])


def untap_sound(browser: Chrome, identifier: str) -> None:
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": identifier})


def loudness(browser: Chrome) -> float:
    """Root mean square of the last 0.2 s or so, of full scale."""
    return float(browser.execute_script(LOUDNESS))
