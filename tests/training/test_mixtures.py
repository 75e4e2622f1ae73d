"""Mixtures: repeatable, at the asked SNR and level, aligned with their targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training import augment
from training.loader import Batches, Sources, batches_from
from training.mixtures import PLAIN, Mixer, Recipe, active_level
from training.validation import SNRS, validation_set


def sources(material: Path, cache: Path) -> Sources:
    return Sources(
        speech=(material / "speech",),
        noise=(material / "noise",),
        rooms=(material / "rir",),
        cache=cache,
        simulated_rooms=3,
        minimum_range=0.0,
    )


def mixer(material: Path, cache: Path, recipe: Recipe, seed: int = 1) -> Mixer:
    return sources(material, cache).mixer(recipe, seed)


def rms(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(samples).mean()))


def test_a_batch_depends_on_seed_and_index_only(material: Path, cache: Path) -> None:
    first = mixer(material, cache, Recipe(seconds=1.0))
    batches = [first.batch(index, 3) for index in (0, 1, 2)]
    again = mixer(material, cache, Recipe(seconds=1.0)).batch(2, 3)
    assert np.array_equal(again.noisy, batches[2].noisy)
    assert np.array_equal(again.clean, batches[2].clean)
    other_seed = mixer(material, cache, Recipe(seconds=1.0), seed=2).batch(2, 3)
    for different in (batches[1], other_seed):
        assert not np.array_equal(different.noisy, batches[2].noisy)


def test_worker_processes_change_nothing(material: Path, cache: Path) -> None:
    def three(workers: int) -> list[NDArray[np.float32]]:
        dataset = Batches(sources(material, cache), Recipe(seconds=0.5), 2, seed=3)
        batches = batches_from(5, dataset, workers)
        return [next(batches)[0].numpy() for _ in range(3)]

    assert all(np.array_equal(a, b) for a, b in zip(three(0), three(2), strict=True))


@pytest.mark.parametrize("snr", [-5.0, 7.0, 20.0])
def test_snr_over_the_active_speech_is_the_one_asked_for(material: Path, cache: Path, snr: float) -> None:
    recipe = replace(PLAIN, seconds=2.0, snr_low=snr, snr_high=snr, snr_hard=snr)
    batch = mixer(material, cache, recipe).batch(0, 6)
    for noisy, clean in zip(batch.noisy, batch.clean, strict=True):
        assert 20 * np.log10(active_level(clean) / rms(noisy - clean)) == pytest.approx(snr, abs=0.1)


def test_level_is_the_one_asked_for(material: Path, cache: Path) -> None:
    recipe = replace(PLAIN, seconds=2.0, level_low=-37.0, level_high=-37.0)
    for clean in mixer(material, cache, recipe).batch(0, 4).clean:
        assert 20 * np.log10(active_level(clean)) == pytest.approx(-37, abs=0.1)


def test_active_level_leaves_pauses_out() -> None:
    speech = np.zeros(32_000, np.float32)
    speech[:8000] = 0.1 * np.sign(np.random.default_rng(0).standard_normal(8000))
    assert active_level(speech) == pytest.approx(0.1, rel=1e-3)


def test_clean_only_and_noise_only_items(material: Path, cache: Path) -> None:
    clean_only = mixer(material, cache, replace(PLAIN, seconds=1.0, clean_share=1.0)).batch(0, 4)
    assert np.array_equal(clean_only.noisy, clean_only.clean)
    noise_only = mixer(material, cache, replace(PLAIN, seconds=1.0, noise_share=1.0)).batch(0, 4)
    assert not noise_only.clean.any()
    assert (np.abs(noise_only.noisy).max(axis=1) > 0).all()


def test_everything_at_once_stays_finite(material: Path, cache: Path) -> None:
    shares = {name: 1.0 for name in vars(Recipe()) if name.endswith("_share")}
    recipe = Recipe(seconds=1.0, **{**shares, "clean_share": 0.0, "noise_share": 0.0, "coloured_share": 0.5})
    batch = mixer(material, cache, recipe).batch(0, 8)
    assert np.isfinite(batch.noisy).all()
    assert np.isfinite(batch.clean).all()
    assert not np.array_equal(batch.noisy, batch.clean)


def test_reverberant_speech_is_aligned_with_its_early_target(material: Path, cache: Path) -> None:
    batch = mixer(material, cache, replace(PLAIN, seconds=2.0, clean_share=1.0, speech_room_share=1.0)).batch(0, 6)
    for noisy, clean in zip(batch.noisy, batch.clean, strict=True):
        spectrum = np.fft.rfft(noisy) * np.conj(np.fft.rfft(clean))
        assert int(np.argmax(np.fft.irfft(spectrum))) == 0
        assert not np.array_equal(noisy, clean)


@pytest.mark.parametrize("codec", augment.CODECS)
def test_codecs_do_not_shift(codec: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "CODECS", (codec,))
    generator = np.random.default_rng(0)
    samples = np.cumsum(generator.standard_normal(16_000)).astype(np.float32)
    samples -= np.convolve(samples, np.ones(101) / 101, "same").astype(np.float32)
    coded = augment.coded(generator, samples)
    assert coded.shape == samples.shape
    assert int(np.argmax(np.fft.irfft(np.fft.rfft(coded) * np.conj(np.fft.rfft(samples))))) == 0


def test_overload_clips_at_most_two_percent() -> None:
    samples = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    for seed in range(6):
        damaged = augment.overload(np.random.default_rng(seed), samples)
        assert rms(damaged) < rms(samples)
        assert np.abs(damaged).max() < np.abs(samples).max()


def test_validation_set_is_fixed_and_covers_the_snrs(material: Path, cache: Path) -> None:
    material_samplers = sources(material, cache)

    def made() -> NDArray[np.float32]:
        return validation_set(material_samplers.speech_sampler(), material_samplers.noise_sampler(), 10, 1.0).noisy

    assert made().shape == (2 * len(SNRS), 16_000)
    assert np.array_equal(made(), made())
