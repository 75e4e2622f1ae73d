"""Makes the clips the tests use, next to this script. Needs espeak-ng; the clips are committed, so the tests do not.

    python tests/data/make_clips.py

voice.wav               16 kHz, mono, PCM_16: a synthetic voice without noise
noisy.wav               the same voice in pink noise; signal-to-noise ratio 5 dB over the whole clip
noisy_48k_stereo.flac   48 kHz, PCM_16: one voice in pink noise on the left, another in white noise on the right
"""

import io
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Signal = npt.NDArray[np.float64]
HERE = Path(__file__).parent
SEED = 20250101
PEAK = 0.5  # of full scale, of every voice: leaves room for the noise
SENTENCE = "The boy was there when the sun rose. A rod is used to catch pink salmon. The source of the river is clear."
OTHER_SENTENCE = "Kick the ball straight and follow through. Help the woman get back to her feet."


def speak(text: str, voice: str, rate: int, seconds: float) -> Signal:
    """The text in an espeak-ng voice, resampled to `rate`, cut or padded to `seconds`. Shape [frames]."""
    spoken = subprocess.run(["espeak-ng", "-v", voice, "--stdout", text], check=True, capture_output=True).stdout
    samples, spoken_rate = soundfile.read(io.BytesIO(spoken))
    samples = soxr.resample(samples, spoken_rate, rate)
    fitted = np.zeros(round(seconds * rate))
    used = min(len(fitted), len(samples))
    fitted[:used] = samples[:used]
    return PEAK * fitted / np.max(np.abs(fitted))


def coloured_noise(frames: int, exponent: float, generator: np.random.Generator) -> Signal:
    """Noise whose power falls with frequency to the `exponent` (0 white, 1 pink), of unit power. Shape [frames]."""
    spectrum = np.fft.rfft(generator.standard_normal(frames))
    spectrum[0] = 0
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (exponent / 2)
    noise: Signal = np.fft.irfft(spectrum, frames)
    return noise / np.sqrt(np.mean(noise**2))


def in_noise(voice: Signal, noise: Signal, snr_db: float) -> Signal:
    """The voice plus the noise (of unit power) at this ratio of their powers over the whole clip."""
    mixture: Signal = voice + noise * np.sqrt(np.mean(voice**2)) * 10 ** (-snr_db / 20)
    return mixture


def main() -> None:
    """Writes the three clips."""
    generator = np.random.default_rng(SEED)
    voice = speak(SENTENCE, "en-gb", rate=16000, seconds=4.0)
    noisy = in_noise(voice, coloured_noise(len(voice), 1, generator), snr_db=5)
    left = speak(SENTENCE, "en-us+f3", rate=48000, seconds=2.0)
    right = speak(OTHER_SENTENCE, "en-gb+m3", rate=48000, seconds=2.0)
    left = in_noise(left, coloured_noise(len(left), 1, generator), snr_db=5)
    right = in_noise(right, coloured_noise(len(right), 0, generator), snr_db=10)
    soundfile.write(HERE / "voice.wav", voice, 16000, "PCM_16")
    soundfile.write(HERE / "noisy.wav", noisy, 16000, "PCM_16")
    soundfile.write(HERE / "noisy_48k_stereo.flac", np.stack([left, right], axis=1), 48000, "PCM_16")


if __name__ == "__main__":
    main()
