"""Passes made together: what each caller gets, who is joined, and that nobody is forgotten."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from inference.batches import Batches
from inference.enhancer import Enhancer, enhance
from inference.samples import Samples
from inference.spectral import BINS
from inference.store import Model, load_store
from tests.servers import wait_for

MODELS = Path(__file__).parents[2] / "models"


def one() -> int:
    """Other processes use all other cores."""
    return 1


class Gated:
    """Doubles spectra and counts frames as its state; each pass waits for the gate and is written down."""

    lookahead = 0

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.passes: list[tuple[int, ...]] = []
        self.started = 0
        self.poison: float | None = None
        self.seconds = 0.0  # that a pass takes

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, 1)

    def __call__(self, spectra: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        self.started += 1
        assert self.gate.wait(20)
        time.sleep(self.seconds)
        self.passes.append(tuple(spectra.shape[:2]))
        if self.poison is not None and (spectra.real == self.poison).any():
            raise ValueError("poisoned")
        return 2 * spectra, state + spectra.shape[1]

    def phase(self, state: Tensor) -> int:
        return 0

    def merged(self, states: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(states))

    def parted(self, state: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        return list(state.split(list(sizes)))


def spectra(value: float, frames: int = 10, channels: int = 1) -> Tensor:
    return torch.full((channels, frames, BINS), value, dtype=torch.complex64)


class Crowd:
    """Callers of one `Batches`, each in a thread of its own; the first holds the process until `open`."""

    def __init__(self, network: Gated, allowed: Callable[[], int] = one) -> None:
        self.network = network
        self.batches = Batches(network, allowed, 4)
        self._threads = ThreadPoolExecutor(16)
        self._asked = 0

    def ask(self, value: float, frames: int = 10, channels: int = 1, *, last: bool = True) -> Any:
        """A call; returns when it is computing or waits."""
        self._asked += 1
        given = spectra(value, frames, channels)
        future = self._threads.submit(self.batches, given, self.network.initial_state(channels), last=last)
        wait_for(lambda: self.network.started + len(self.batches._waiting) == self._asked, 20, "asking")
        return future

    def open(self) -> None:
        self.network.gate.set()


def ask_all(crowd: Crowd, calls: list[dict[str, Any]]) -> list[Tensor]:
    futures = [crowd.ask(index + 1.0, **call) for index, call in enumerate(calls)]
    crowd.open()
    answers = [future.result(20)[0] for future in futures]
    for index, (answer, call) in enumerate(zip(answers, calls, strict=True)):
        assert answer.shape == (call.get("channels", 1), call.get("frames", 10), BINS)
        assert torch.equal(answer, torch.full_like(answer, 2 * (index + 1.0)))
    return answers


@pytest.mark.parametrize(
    ("calls", "passes"),
    [
        ([{}], [(1, 10)]),
        ([{}] * 6, [(1, 10), (4, 10), (1, 10)]),  # no more than `most` in one
        ([{}, {"channels": 2}, {"channels": 3}, {}], [(1, 10), (3, 10), (3, 10)]),  # later ones that fit go along
        ([{}, {"channels": 7}, {}], [(1, 10), (7, 10), (1, 10)]),  # one alone may have more than `most`
        ([{}, {"frames": 8}, {"frames": 10}, {"frames": 9}], [(1, 10), (3, 10)]),
        ([{}, {"frames": 7}, {"frames": 10}], [(1, 10), (1, 7), (1, 10)]),  # would be mostly padding
        ([{}, {"last": False}, {"last": False}], [(1, 10), (2, 10)]),  # of one length
        ([{}, {"last": False}, {"frames": 9}], [(1, 10), (1, 10), (1, 9)]),
        ([{}, {"frames": 9}, {"frames": 9, "last": False}, {}], [(1, 10), (2, 9), (1, 10)]),
        ([{}, *[{"frames": 350}] * 4], [(1, 10), (4, 160), (4, 160), (4, 30)]),  # a long batch is cut in time
    ],
)
def test_who_is_joined(calls: list[dict[str, Any]], passes: list[tuple[int, int]]) -> None:
    crowd = Crowd(Gated())
    ask_all(crowd, calls)
    assert crowd.network.passes == passes


def test_a_free_core_is_used_at_once() -> None:
    crowd = Crowd(Gated(), lambda: 2)
    futures = [crowd.ask(1.0) for _ in range(4)]
    assert crowd.network.started == 2
    crowd.open()
    assert all(future.result(20) for future in futures)


class Expecting:
    """Stands in for `Followers` that always, or never, expect somebody."""

    def __init__(self, until: float) -> None:
        self._until = until

    def arrived(self, now: float) -> None: ...

    def answered(self, recordings: int, seconds: float, now: float) -> None: ...

    def expected_until(self) -> float:
        return self._until


@pytest.mark.parametrize(
    ("allowed", "seconds", "passes"),
    [(1, 20.0, [(4, 10)]), (1, 0.0, [(1, 10)] * 4), (2, 20.0, [(1, 10)] * 4)],  # a free core is not left idle for it
)
def test_who_is_expected_is_waited_for(allowed: int, seconds: float, passes: list[tuple[int, int]]) -> None:
    crowd = Crowd(Gated(), lambda: allowed)
    crowd.open()
    crowd.batches._followers = Expecting(time.monotonic() + seconds)  # type: ignore[assignment]
    with ThreadPoolExecutor(4) as threads:
        futures = []
        for value in (1.0, 2.0, 3.0, 4.0):
            futures.append(threads.submit(crowd.batches, spectra(value), torch.zeros(1, 1), last=True))
            time.sleep(0.1)
        assert [future.result(5)[0][0, 0, 0].real.item() for future in futures] == [2, 4, 6, 8]
    assert crowd.network.passes == passes


def test_clients_that_come_back_at_once_get_full_passes() -> None:
    """Three clients, each with its next recording a moment after the answer, to a network of 20 ms a pass."""
    network = Gated()
    network.seconds = 0.02
    crowd = Crowd(network)
    crowd.open()

    def client(number: int) -> None:
        for _ in range(40):
            crowd.batches(spectra(1.0), torch.zeros(1, 1), last=True)
            time.sleep(0.001 + 0.002 * number)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(client, range(3)))
    sizes = [size for size, _ in network.passes]
    assert sum(sizes) == 120
    assert sizes[len(sizes) // 2 :].count(3) >= 15  # of 20, once it is known that they do


def test_the_state_that_comes_back_is_ones_own() -> None:
    crowd = Crowd(Gated())
    futures = [crowd.ask(1.0), *(crowd.ask(1.0, channels=n, last=False) for n in (1, 2))]
    crowd.open()
    assert [future.result(20)[1].tolist() for future in futures] == [[[10.0]], [[10.0]], [[10.0], [10.0]]]


def test_a_recording_that_fails_spoils_no_other() -> None:
    network = Gated()
    network.poison = 3.0
    crowd = Crowd(network)
    futures = [crowd.ask(float(value)) for value in (1, 2, 3, 4)]
    crowd.open()
    assert [future.result(20)[0][0, 0, 0].real.item() for future in (futures[0], futures[1], futures[3])] == [2, 4, 8]
    with pytest.raises(ValueError, match="poisoned"):
        futures[2].result(20)
    assert crowd.ask(5.0).result(20)[0][0, 0, 0].real == 10  # and the next one is served


def recordings(lengths: Sequence[int]) -> list[Samples]:
    """Noise that swells and a tone."""
    generator = np.random.default_rng(1)
    at = [np.arange(n)[:, None] for n in lengths]
    return [
        (0.1 * np.sin(t / 10) + 0.1 * np.sin(t / 2000) * generator.standard_normal(t.shape)).astype(np.float32)
        for t in at
    ]


@pytest.mark.parametrize("key", ["recurrent", "dae", "lsa"])
def test_a_crowd_gets_what_each_would_get_alone(key: str) -> None:
    """Through the whole pipeline, ending and going-on blocks mixed, at the networks' full precision."""
    alone = load_store(MODELS).resolve(key)
    crowded = replace(alone, batches=Batches(alone.network, one, 4))  # type: ignore[arg-type]
    given = recordings([24_000, 23_997, 20_000, 24_000, 200_000, 200_000, 170_001, 700])

    def run(model: Model, samples: Samples) -> Samples:
        return np.concatenate(list(enhance([samples], Enhancer(model, rate=16_000, channels=1))))

    with ThreadPoolExecutor(len(given)) as threads:
        answers = list(threads.map(lambda samples: run(crowded, samples), given))
    for samples, answer in zip(given, answers, strict=True):
        assert len(answer) == len(samples)
        np.testing.assert_allclose(answer, run(alone, samples), atol=1e-4)
