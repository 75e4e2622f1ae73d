"""The page's modules for themselves, run by the browser that will run them."""

import numpy as np
from selenium.webdriver import Chrome

from tests.api.recordings import decoded


def module(browser: Chrome, name: str) -> str:
    """The address of a module of the page, with its version."""
    script = browser.find_element("css selector", "script[type=module]").get_attribute("src")
    return str(script).replace("listen.js", name)


def test_the_transform_is_that_of_numpy(page: Chrome):
    signal = np.random.default_rng(3).normal(size=256)
    found = page.execute_async_script(
        """const [signal, url, done] = arguments;
        import(url).then(({ transform }) => {
          const real = Float64Array.from(signal), imaginary = new Float64Array(signal.length);
          transform(real, imaginary);
          done([[...real], [...imaginary]]);
        });""",
        signal.tolist(),
        module(page, "spectrogram.js"),
    )
    expected = np.fft.fft(signal)
    np.testing.assert_allclose(found, [expected.real, expected.imag], atol=1e-9)


def test_wav_files_are_read_back(page: Chrome):
    samples = np.random.default_rng(4).normal(0, 0.3, (2, 1000))
    samples[:, :2] = [1.5, -1.5]
    content = page.execute_async_script(
        """const [samples, url, done] = arguments;
        import(url).then(async ({ encodeWav }) => {
          const blob = encodeWav(samples.map((channel) => Float32Array.from(channel)), 44100);
          done([...new Uint8Array(await blob.arrayBuffer())]);
        });""",
        samples.tolist(),
        module(page, "wav.js"),
    )
    found, rate = decoded(bytes(content))
    assert rate == 44100
    np.testing.assert_allclose(found.T, np.clip(samples, -1, 1), atol=1e-4)
