"""The numbers of spectra that a network gets at once are those that were said beforehand."""

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from inference.batches import Batches, _Pass
from inference.enhancer import Enhancer, enhance
from inference.kernels import ENDING
from inference.lengths import PASS_FRAMES, STEP, filled_up, lengths, pass_frames
from inference.networks import Network
from inference.store import Model, ModelStore, load_store
from tests.servers import ROOT


class Watched:
    """A network that remembers the shapes it got."""

    def __init__(self, network: Any) -> None:
        self._network, self.lookahead = network, network.lookahead
        self.shapes: set[tuple[int, int]] = set()

    def __call__(self, spectra: Tensor, state: Any) -> Any:
        self.shapes.add((spectra.shape[0], spectra.shape[1]))
        return self._network(spectra, state)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


@pytest.fixture(scope="module")
def models() -> ModelStore:
    return load_store(ROOT / "models")


@pytest.fixture
def watched(models: ModelStore) -> Watched:
    return Watched(models.resolve("production").network)


def known(network: Watched, streams: int) -> set[int]:
    return set(lengths(streams, pass_frames(streams) + ENDING + network.lookahead))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_recordings_of_any_length_come_in_known_ones(models: ModelStore, watched: Watched, channels: int):
    model = Model(models.resolve("production").info, watched)  # type: ignore[arg-type]
    for seconds in (0.04, 0.5, 1.7, 5.0, 9.4, 9.99, 10.24, 10.3, 23.0):
        samples = np.zeros((int(seconds * 16000) + channels, channels), np.float32)
        for _ in enhance([samples], Enhancer(model, rate=16000, channels=channels)):
            pass
    assert {streams for streams, _ in watched.shapes} == {channels}
    assert {frames for _, frames in watched.shapes} <= known(watched, channels)


@pytest.mark.parametrize("streams", [2, 3, 4])
def test_batches_come_in_known_lengths(watched: Watched, streams: int):
    batches = Batches(watched, lambda: 1, streams)  # type: ignore[arg-type]
    for frames in lengths(1, PASS_FRAMES + ENDING + watched.lookahead):
        spectra = watched.initial_state(1).spectra.new_zeros(1, frames, 257)
        passes = [_pass(spectra, watched) for _ in range(streams)]
        batches._compute_together(passes)
    assert {frames for _, frames in watched.shapes} <= known(watched, streams)


def _pass(spectra: Tensor, network: Network) -> Any:
    return _Pass(spectra, network.initial_state(1), last=True)


@pytest.mark.parametrize("streams", [1, 2, 3, 4, 7, 64])
def test_passes_are_bounded_and_whole_steps(streams: int):
    assert pass_frames(streams) % STEP == 0
    assert pass_frames(streams) * streams <= max(PASS_FRAMES, 64 * streams)
    assert len(lengths(streams, pass_frames(streams))) <= 20


def test_what_is_filled_up_is_little():
    for frames in range(1, 1000):
        assert frames <= filled_up(frames) < frames + STEP
