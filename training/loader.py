"""Batches from processes of their own, in order, so that mixing does not hold up training."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from training.corpus import load_corpus
from training.mixtures import Mixer, Recipe
from training.rooms import room_bank
from training.sampler import Sampler

Batch = tuple[Tensor, Tensor]  # noisy and clean, float32 [items, samples]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the material lies; cheap to send to another process."""

    speech: tuple[Path, ...]
    noise: tuple[Path, ...]
    rooms: tuple[Path, ...]
    cache: Path
    simulated_rooms: int
    minimum_range: float  # dB, see training.corpus.dynamic_range

    def speech_sampler(self) -> Sampler:
        """Speech with little enough room tone."""
        return Sampler(load_corpus(list(self.speech), self.cache).with_range(self.minimum_range))

    def noise_sampler(self) -> Sampler:
        """All of the noise."""
        return Sampler(load_corpus(list(self.noise), self.cache))

    def mixer(self, recipe: Recipe, seed: int) -> Mixer:
        """What makes batches of this material."""
        rooms = room_bank(list(self.rooms), self.simulated_rooms, seed)
        return Mixer(self.speech_sampler(), self.noise_sampler(), rooms, recipe, seed)


class Batches(Dataset[Batch]):
    """Batch `index` for any index; the material is opened in the process that asks first."""

    def __init__(self, sources: Sources, recipe: Recipe, items: int, seed: int) -> None:
        self._sources, self._recipe, self._items, self._seed = sources, recipe, items, seed
        self._mixer: Mixer | None = None

    def __getitem__(self, index: int) -> Batch:
        if self._mixer is None:
            if get_worker_info() is not None:
                torch.set_num_threads(1)
            self._mixer = self._sources.mixer(self._recipe, self._seed)
        noisy, clean = self._mixer.batch(index, self._items)
        return torch.from_numpy(noisy), torch.from_numpy(clean)


def batches_from(step: int, dataset: Batches, workers: int, *, pinned: bool = False) -> Iterator[Batch]:
    """Batches `step`, `step` + 1, ... without end, in this order whatever the number of workers (0: no process)."""
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=range(step, 2**31),
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=pinned,
    )
    batches = iter(loader)
    try:
        yield from batches
    finally:
        _stop(batches)


def _stop(batches: Iterator[Batch]) -> None:
    """Ends the processes. One that is stopped while it hands a batch over may abort, which torch reports as an error.

    Left to the garbage collector, the report comes at any moment after the training.
    """
    shut_down = getattr(batches, "_shutdown_workers", None)  # there is no public way; without processes there is none
    if shut_down is not None:
        with suppress(RuntimeError):
            shut_down()
