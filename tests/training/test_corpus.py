"""Reading folders of recordings in any layout, format, rate and number of channels."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.corpus import PEAK, dynamic_range, load_corpus
from training.sampler import Sampler


def test_every_readable_file_is_taken_at_16_khz(material: Path, cache: Path) -> None:
    corpus = load_corpus([material / "speech"], cache, progress=False)
    seconds = {Path(clip.path).name: clip.frames / 16_000 for clip in corpus.clips}
    assert seconds == {"first.wav": 2.0, "second.flac": 1.0, "third.ogg": 0.5, "loose.WAV": 0.7}


def test_layout_gives_collections_and_groups(material: Path, cache: Path) -> None:
    corpus = load_corpus([material / "speech"], cache, progress=False)
    places = {Path(clip.path).name: (clip.collection, Path(clip.group).name) for clip in corpus.clips}
    assert places["first.wav"] == ("speech/book one", "speaker A")
    assert places["third.ogg"] == ("speech/words", "deeper")
    assert places["loose.WAV"] == ("speech/words", "words")


def test_clips_keep_their_content_and_get_one_peak(material: Path, cache: Path) -> None:
    corpus = load_corpus([material / "speech"], cache, progress=False)
    clip = next(clip for clip in corpus.clips if clip.path.endswith("first.wav"))
    original = soundfile.read(material / "speech" / clip.path)[0]
    stored = corpus.read(clip, 0, clip.frames)
    assert np.abs(stored).max() == pytest.approx(PEAK, abs=1e-4)
    assert np.abs(stored - original * (PEAK / np.abs(original).max())).max() < 1e-4
    assert np.array_equal(corpus.read(clip, 100, 50), stored[100:150])
    assert len(corpus.read(clip, clip.frames - 10, 50)) == 10  # never into the next clip


def test_cache_is_used_until_the_folder_changes(material: Path, tmp_path: Path) -> None:
    folder, cache = tmp_path / "noise", tmp_path / "cache"
    shutil.copytree(material / "noise", folder)
    load_corpus([folder], cache, progress=False)
    index = next(cache.glob("*.json"))
    entries = json.loads(index.read_text())
    index.write_text(json.dumps(entries[:1]))
    assert len(load_corpus([folder], cache, progress=False).clips) == 1  # read from the cache
    soundfile.write(folder / "wind" / "more.wav", np.full(1000, 0.5), 16_000)
    assert len(load_corpus([folder], cache, progress=False).clips) == 3


def test_missing_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_corpus([tmp_path / "nowhere"], tmp_path / "cache", progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty"):
        load_corpus([tmp_path / "empty"], tmp_path / "cache", progress=False)


def test_dynamic_range_of_a_known_signal() -> None:
    generator = np.random.default_rng(0)
    signal = generator.standard_normal(64_000).astype(np.float32)
    signal[32_000:] *= 0.01  # 40 dB below the rest
    assert dynamic_range(signal) == pytest.approx(40, abs=1.5)
    assert dynamic_range(signal[:100]) == 0.0


def test_a_filter_that_leaves_nothing_is_refused(material: Path, cache: Path) -> None:
    corpus = load_corpus([material / "noise"], cache, progress=False)
    assert all(clip.dynamic_range < 30 for clip in corpus.clips)
    with pytest.raises(ValueError, match="dynamic range"):
        Sampler(corpus.with_range(30))


def test_collections_are_drawn_by_the_root_of_their_duration(material: Path, cache: Path) -> None:
    corpus = load_corpus([material / "noise"], cache, progress=False)  # 3 s of wind, 0.3 s of machine
    sampler, generator = Sampler(corpus), np.random.default_rng(0)
    names = [sampler._groups[sampler._draw_group(generator)[0]][0][0].collection for _ in range(4000)]
    share = 10**0.5 / (1 + 10**0.5)
    assert names.count("noise/wind") / 4000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("kind", ["voice", "noise", "babble"])
def test_samples_have_the_asked_length_and_no_gap_in_values(material: Path, cache: Path, kind: str) -> None:
    folder = material / ("noise" if kind == "noise" else "speech")
    sampler = Sampler(load_corpus([folder], cache, progress=False))
    for seed in range(5):
        samples = getattr(sampler, kind)(np.random.default_rng(seed), 70_001)
        assert samples.shape == (70_001,)
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() > 0.01
