"""Forward passes of several recordings made as one, where they meet.

A network whose weights do not fit the caches of a core spends most of a pass on fetching them: four recordings together
take about half the time. A call that finds its process idle begins at once; what arrives meanwhile goes together into
the next pass. So the size of a batch follows the load: one in an idle service, up to `most` in a busy one, where a pass
may wait for those who were just answered to come back.

Source: Gao et al., "Low latency RNN inference with cellular batching", 2018 (joining what waits).
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from inference.followers import Followers
from inference.lengths import pass_frames
from inference.networks import Network

LEAST_FILL = 0.75  # of the longest recording of a batch: what is shorter would be mostly padding


class _Pass:
    """What one caller wants, and how it is told."""

    def __init__(self, spectra: Tensor, state: Any, *, last: bool) -> None:
        self.spectra, self.state, self.last = spectra, state, last
        self.answer: tuple[Tensor, Any] | None = None
        self.error: BaseException | None = None
        self.told = threading.Event()  # that it is done, or that it is its turn to compute


class Batches:
    """Forward passes of `network` for the threads of this process, at most `most` streams in one.

    `allowed` says how many passes this process may make at once; one it makes always. While it makes as many, a pass
    that begins waits for those of the last one where they are known to come back (`Followers`). A pass that fails is
    repeated for each caller alone, so that one recording cannot spoil another. Make it before or after a fork, not
    while in use.
    """

    def __init__(self, network: Network, allowed: Callable[[], int], most: int) -> None:
        self._network, self._allowed, self._most = network, allowed, most
        self._changed = threading.Condition()
        self._waiting: list[_Pass] = []
        self._running = 0
        self._followers = Followers()

    def __call__(self, spectra: Tensor, state: Any, *, last: bool) -> tuple[Tensor, Any]:
        """As `network`; with `last` the state that comes back must not be used: it may have seen padding."""
        mine = _Pass(spectra, state, last=last)
        with self._changed:
            self._followers.arrived(time.monotonic())
            self._waiting.append(mine)
            self._appoint()
            self._changed.notify_all()
        mine.told.wait()
        if mine.answer is None and mine.error is None:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        assert mine.answer is not None
        return mine.answer

    def _appoint(self) -> None:
        """Lets those who have waited longest compute, as many as may."""
        while self._waiting and (self._running == 0 or self._running < self._allowed()):
            self._running += 1
            self._waiting.pop(0).told.set()

    def _lead(self, mine: _Pass) -> None:
        batch, begun = [mine], time.monotonic()
        try:
            with self._changed:
                self._join(batch)
                self._expect(batch)
            begun = time.monotonic()
            self._compute(batch)
        finally:
            for other in batch[1:]:
                other.told.set()
            with self._changed:
                self._running -= 1
                now = time.monotonic()
                self._followers.answered(len(batch), now - begun, now)
                self._appoint()

    def _join(self, batch: list[_Pass]) -> None:
        """Adds those of the waiting, in their order, that go together with the batch."""
        for other in list(self._waiting):
            if self._rows(batch) + len(other.spectra) <= self._most and self._fits(batch, other):
                self._waiting.remove(other)
                batch.append(other)

    def _expect(self, batch: list[_Pass]) -> None:
        """Waits for those who come back, where there is room for them and no other pass to begin with them."""
        while self._rows(batch) < self._most and self._running >= self._allowed():
            left = self._followers.expected_until() - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)
            self._join(batch)

    def _rows(self, batch: list[_Pass]) -> int:
        return sum(len(each.spectra) for each in batch)

    def _fits(self, batch: list[_Pass], other: _Pass) -> bool:
        # Zeros behind the end of a stream change nothing before them; a stream that goes on must not see any.
        frames = [each.spectra.shape[1] for each in (*batch, other)]
        alike = min(frames) == max(frames)
        ending = other.last and all(each.last for each in batch) and min(frames) >= LEAST_FILL * max(frames)
        return (alike or ending) and self._network.phase(other.state) == self._network.phase(batch[0].state)

    def _compute(self, batch: list[_Pass]) -> None:
        if len(batch) > 1:
            try:
                return self._compute_together(batch)
            except Exception:  # noqa: BLE001 - whatever it is, each caller meets its own below
                for each in batch:
                    each.answer = None
        for each in batch:
            try:
                each.answer = self._network(each.spectra, each.state)
            except BaseException as error:  # noqa: BLE001 - raised in the thread of its caller
                each.error = error
        return None

    def _compute_together(self, batch: list[_Pass]) -> None:
        sizes = [len(each.spectra) for each in batch]
        lengths = [each.spectra.shape[1] for each in batch]
        padded = batch[0].spectra.new_zeros(sum(sizes), max(lengths), batch[0].spectra.shape[2])
        for rows, each in zip(padded.split(sizes), batch, strict=True):
            rows[:, : each.spectra.shape[1]] = each.spectra
        state, estimates = self._network.merged([each.state for each in batch]), []
        for part in padded.split(pass_frames(len(padded)), dim=1):
            estimate, state = self._network(part, state)
            estimates.append(estimate)
        estimate, states = torch.cat(estimates, dim=1), self._network.parted(state, sizes)
        for each, rows, length, after in zip(batch, estimate.split(sizes), lengths, states, strict=True):
            each.answer = rows[:, :length], after
