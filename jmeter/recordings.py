"""Makes the recordings that the plans send: python -m jmeter.recordings [FOLDER].

Everything grows from the project's own clips in tests/data (a synthetic voice in noise), without chance, so every
machine makes the same files. About 40 MB, and a sparse file larger than the service takes.
"""

import io
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

ROOT = Path(__file__).resolve().parent.parent
CLIPS = ROOT / "tests" / "data"
FOLDER = ROOT / ".run" / "jmeter" / "recordings"
SECONDS = {"short": 4, "medium": 30, "long": 300}
TOO_LONG = 3601  # s, for a service that takes an hour
TOO_LARGE = 256 * 2**20 + 1  # bytes, for a service that takes 256 MiB
DONE = "made-by-version-2"  # its presence says that the folder is complete; a change of what follows needs a new name

Samples = npt.NDArray[np.float32]  # [frames, channels]


def clip(name: str, rate: int) -> Samples:
    """A clip of the project at `rate` Hz."""
    samples, made_at = soundfile.read(CLIPS / name, dtype="float32", always_2d=True)
    resampled: Samples = soxr.resample(samples, made_at, rate)
    return resampled


def lasting(samples: Samples, seconds: float, rate: int) -> Samples:
    """The samples again and again, for exactly so long."""
    frames = round(seconds * rate)
    return np.tile(samples, (frames // len(samples) + 1, 1))[:frames]


def encoded(samples: Samples, rate: int, container: str = "WAV", subtype: str | None = None) -> bytes:
    """The samples as a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def without_clock(file: bytes) -> bytes:
    """A WAV of floats without the time of its making, which libsndfile puts into its PEAK chunk."""
    at = file.index(b"PEAK") + 12
    return file[:at] + bytes(4) + file[at + 4 :]


def good() -> dict[str, bytes]:
    """Recordings that are enhanced: short, medium, long; mono and stereo; the formats that are read."""
    made: dict[str, bytes] = {}
    for length, seconds in SECONDS.items():
        mono = lasting(clip("noisy.wav", 16000), seconds, 16000)
        stereo = lasting(clip("noisy_48k_stereo.flac", 44100), min(seconds, 60), 44100)
        made[f"{length}_mono.wav"] = encoded(mono, 16000)
        made[f"{length}_mono.flac"] = encoded(mono, 16000, "FLAC")
        made[f"{length}_mono.mp3"] = encoded(mono, 16000, "MP3")
        made[f"{length}_stereo.flac"] = encoded(stereo, 44100, "FLAC")
        made[f"{length}_stereo.mp3"] = encoded(stereo, 44100, "MP3")
    short = lasting(clip("noisy_48k_stereo.flac", 48000), SECONDS["short"], 48000)
    made["short_stereo.wav"] = encoded(short, 48000, subtype="PCM_24")
    made["short_mono.ogg"] = encoded(clip("noisy.wav", 16000), 16000, "OGG")
    return made


def bad() -> dict[str, bytes]:
    """What is refused, each file for one reason."""
    short = clip("noisy.wav", 16000)
    whole = encoded(short, 16000)
    damaged = short.copy()
    damaged[1234] = np.nan
    field = b'--b0und\r\nContent-Disposition: form-data; name="%s"\r\n\r\ncall.wav\r\n--b0und--\r\n'
    return {
        "empty.wav": b"",
        "no_samples.wav": encoded(short[:0], 16000),
        "truncated.wav": whole[: len(whole) // 2],
        "truncated.flac": encoded(short, 16000, "FLAC")[:20000],
        "text.wav": b"This is not audio at all. " * 20,
        "nan.wav": without_clock(encoded(damaged, 16000, subtype="FLOAT")),
        "silence.wav": encoded(0 * short, 16000),
        "too_short.wav": encoded(short[:160], 16000),
        "too_slow.wav": encoded(short, 4000),
        "nine_channels.wav": encoded(np.tile(short[:8000], (1, 9)), 16000),
        "six_channels.wav": encoded(np.tile(short[:8000], (1, 6)), 16000),
        "aac.m4a": b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100),
        "sound.aiff": encoded(short, 16000, "AIFF"),
        "too_long.flac": encoded(np.zeros((8000 * TOO_LONG, 1), np.float32), 8000, "FLAC"),
        "text_field.form": field % b"audio_file",
        "other_field.form": field % b"file",
        "cut_off.form": (field % b"audio_file")[:60],
    }


def make(folder: Path) -> None:
    """Writes every file into `folder`, unless it is complete already."""
    if (folder / DONE).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**good(), **bad()}.items():
        (folder / name).write_bytes(content)
    with (folder / "too_large.wav").open("wb") as file:
        file.truncate(TOO_LARGE)  # sparse: it takes no room on the disk
    (folder / DONE).touch()


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
