"""Small made-up corpora: voices that pulse and glide, noises, in several formats and layouts."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

RATE = 16_000


def voice(seed: int, seconds: float, rate: int = RATE) -> NDArray[np.float64]:
    """Harmonics with a gliding pitch, three syllables a second, silence in between."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(generator.uniform(90, 220) + 20 * np.sin(2 * np.pi * time)) / rate
    tone = sum(np.sin(order * phase) / order for order in range(1, 20))
    return 0.1 * tone * np.clip(np.sin(2 * np.pi * 1.5 * time), 0, 1) + 1e-5 * generator.standard_normal(len(time))


def noise(seed: int, seconds: float, rate: int = RATE) -> NDArray[np.float64]:
    """White noise that comes and goes a little."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    return 0.05 * generator.standard_normal(len(time)) * (1 + 0.5 * np.sin(2 * np.pi * time))


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `speech` (two collections, odd names, formats, rates and channels), `noise` and `rir`."""
    root = tmp_path_factory.mktemp("material")
    for part in ("speech/book one/speaker A", "speech/words/B/deeper", "noise/wind", "noise/machine", "rir"):
        (root / part).mkdir(parents=True)
    soundfile.write(root / "speech/book one/speaker A/first.wav", voice(1, 2.0), RATE)
    soundfile.write(root / "speech/book one/speaker A/second.flac", voice(2, 1.0, 44_100), 44_100)
    stereo = np.stack([voice(3, 0.5, 8000)] * 2, axis=1)
    soundfile.write(root / "speech/words/B/deeper/third.ogg", stereo, 8000)
    soundfile.write(root / "speech/words/loose.WAV", voice(4, 0.7), RATE, format="WAV")
    (root / "speech/words/broken.wav").write_bytes(b"RIFF and nothing more")
    (root / "speech/words/notes.txt").write_text("no audio")
    soundfile.write(root / "noise/wind/long.wav", noise(5, 3.0), RATE)
    soundfile.write(root / "noise/machine/short.wav", noise(6, 0.3), RATE)
    response = np.zeros(8000)
    response[400], response[500], response[4000] = 0.1, 0.5, 0.2  # pre-echo, direct sound, late echo
    soundfile.write(root / "rir/hall.wav", response, RATE, subtype="FLOAT")
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the decoded material is kept."""
    return tmp_path_factory.mktemp("cache")
