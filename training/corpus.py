"""Folders of recordings, decoded once into one memory-mapped file so that a random crop costs next to nothing.

A corpus is any number of folders in any layout, read recursively; every format that libsndfile decodes is taken,
at any rate and with any number of channels (they are averaged). Two levels of the layout are used for balance:

    collection  the first folder below the given one (a corpus of speech, a category of noise)
    group       the folder a file lies in (usually one speaker)

A collection is drawn in proportion to the square root of its duration, a group likewise within its collection, a clip
in proportion to its duration within its group. So a corpus of single words or one talkative speaker does not dominate.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from inference.spectral import SAMPLING_RATE

PEAK = 0.9  # every clip is stored with this peak: loudness is drawn later, and quiet clips keep their resolution
SCALE = 32767.0
EXTENSIONS = {"." + name.lower() for name in soundfile.available_formats()} | {".opus", ".oga"}
LEVEL_FRAME = 512  # samples of a frame whose level counts for `dynamic_range`: 32 ms


@dataclass(frozen=True)
class Clip:
    """One recording: where it lies in the memory map and what it belongs to."""

    path: str  # as found, below the folder given
    collection: str
    group: str
    start: int  # first sample in the memory map
    frames: int
    dynamic_range: float  # dB, see `dynamic_range`


@dataclass(frozen=True)
class Corpus:
    """Decoded clips; `samples` is int16 at SAMPLING_RATE, all clips one after the other."""

    samples: NDArray[np.int16]
    clips: tuple[Clip, ...]

    @property
    def seconds(self) -> float:
        """Duration of all clips."""
        return sum(clip.frames for clip in self.clips) / SAMPLING_RATE

    def read(self, clip: Clip, start: int, frames: int) -> NDArray[np.float32]:
        """Samples [<= frames] of `clip` from its sample `start` on, full scale = 1."""
        begin = clip.start + start
        end = min(begin + frames, clip.start + clip.frames)
        return self.samples[begin:end].astype(np.float32) / np.float32(SCALE)

    def with_range(self, minimum: float) -> "Corpus":
        """Only the clips with at least that dynamic range in dB: speech with little room tone."""
        return Corpus(self.samples, tuple(clip for clip in self.clips if clip.dynamic_range >= minimum))


def dynamic_range(samples: NDArray[np.float32]) -> float:
    """Level in dB between the 90th and the 10th percentile of the frames: for speech an estimate of its SNR."""
    frames = samples[: len(samples) // LEVEL_FRAME * LEVEL_FRAME].reshape(-1, LEVEL_FRAME)
    if len(frames) == 0:
        return 0.0
    levels = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-10)
    return float(np.percentile(levels, 90) - np.percentile(levels, 10))


def find_recordings(folders: list[Path]) -> list[tuple[Path, Path]]:
    """Pairs of (folder, file) for every file whose name ends like audio; FileNotFoundError for a missing folder."""
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {folder}")
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file())
        found += [(folder, file) for file in files]
    return found


def load_corpus(folders: list[Path], cache: Path, *, progress: bool = True) -> Corpus:
    """The corpus in `folders`, decoded into `cache` unless it is there already.

    The cache is keyed by names, sizes and times of change, so it is rebuilt when the folders change.
    Raises FileNotFoundError for a missing folder and ValueError when no recording can be read.
    """
    files = find_recordings(folders)
    samples_file, index_file = _cache_files(files, cache)
    if not index_file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _decode_all(files, samples_file, index_file, progress)
    clips = tuple(Clip(**entry) for entry in json.loads(index_file.read_text()))
    if not clips:
        raise ValueError(f"no readable recording in {', '.join(map(str, folders))}")
    return Corpus(np.memmap(samples_file, dtype=np.int16, mode="r"), clips)


def _cache_files(files: list[tuple[Path, Path]], cache: Path) -> tuple[Path, Path]:
    digest = hashlib.sha256()
    for _, file in files:
        status = file.stat()
        digest.update(f"{file.resolve()}|{status.st_size}|{status.st_mtime_ns}\n".encode())
    key = digest.hexdigest()[:16]
    return cache / f"{key}.int16", cache / f"{key}.json"


def _decode_all(files: list[tuple[Path, Path]], samples_file: Path, index_file: Path, progress: bool) -> None:
    clips: list[Clip] = []
    start = 0
    with samples_file.open("wb") as stream:
        for folder, file in tqdm(files, desc="decoding", unit="file", disable=not progress):
            samples = _decode(file)
            if len(samples) == 0:
                continue
            clips.append(_describe(folder, file, start, samples))
            stream.write(np.round(samples * SCALE).astype(np.int16).tobytes())
            start += len(samples)
    # the index is written last and renamed: an interrupted decoding leaves no cache that looks complete
    partial = index_file.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(clip) for clip in clips]))
    partial.rename(index_file)


def _decode(file: Path) -> NDArray[np.float32]:
    """Mono samples at SAMPLING_RATE with the peak PEAK; empty for what cannot be read or holds nothing."""
    try:
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        tqdm.write(f"left out {file}: {error}")
        return np.zeros(0, np.float32)
    mono: NDArray[np.float32] = soxr.resample(samples.mean(axis=1), rate, SAMPLING_RATE)
    peak = float(np.abs(mono).max(initial=0.0))
    if not 0.0 < peak < np.inf:
        return np.zeros(0, np.float32)
    return (mono * (PEAK / peak)).astype(np.float32)


def _describe(folder: Path, file: Path, start: int, samples: NDArray[np.float32]) -> Clip:
    below = file.relative_to(folder)
    collection = below.parts[0] if len(below.parts) > 1 else folder.name
    return Clip(
        path=str(below),
        collection=f"{folder.name}/{collection}",
        group=str(file.parent),
        start=start,
        frames=len(samples),
        dynamic_range=round(dynamic_range(samples), 2),
    )
