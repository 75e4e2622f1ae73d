"""The enhancement pipeline of one recording: resample -> STFT -> network -> inverse STFT -> resample, as a stream.

Feed blocks of any size, get blocks, flush. State is carried over at every stage, so the result does not depend on how
the recording was cut, and memory does not grow with its length. The promises of the output: exactly the input's
frames (at another rate, `resampled_length` of them), no delay, every channel by itself.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from inference.errors import AudioTooShort
from inference.lengths import filled_up, pass_frames
from inference.resample import StreamResampler, resampled_length
from inference.samples import Samples
from inference.spectral import BINS, HOP, SAMPLING_RATE, WINDOW, Analysis, Synthesis
from inference.store import Model


class Enhancer:
    """Enhances one recording of `channels` channels at `rate` Hz; answers at `output_rate` Hz (default: `rate`).

    `attenuation_limit_db` says how much noise may be removed: the answer keeps the noisy input at that many dB below
    its level. None removes all that the model can.
    """

    def __init__(
        self,
        model: Model,
        *,
        rate: int,
        channels: int,
        output_rate: int | None = None,
        attenuation_limit_db: float | None = None,
    ) -> None:
        self.rate = rate
        self.channels = channels
        self.output_rate = output_rate or rate
        self._to_model = StreamResampler(rate, SAMPLING_RATE, channels)
        self._from_model = StreamResampler(SAMPLING_RATE, self.output_rate, channels)
        self._denoiser = _Denoiser(model, channels, attenuation_limit_db)
        self._taken = 0  # frames fed so far, at `rate`
        self._given = 0  # frames answered so far, at `output_rate`

    @property
    def frames_taken(self) -> int:
        """Frames fed so far, at `rate`."""
        return self._taken

    def feed(self, block: Samples) -> Samples:
        """Takes float32 [n, channels], answers what is ready, float32 [m, channels]; m may be 0."""
        self._taken += len(block)
        return self._give(self._denoiser.feed(self._to_model.feed(block)))

    def flush(self) -> Samples:
        """The rest of the answer; the enhancer cannot be fed afterwards."""
        # A fraction of a frame may be lost to rounding at the model's rate: a few zeros more make up for it, so that
        # there is always enough to be cut to the length promised.
        padding = 0 if self.rate == SAMPLING_RATE else self.rate // SAMPLING_RATE + 2
        ending = [self._to_model.feed(np.zeros((padding, self.channels), np.float32)), self._to_model.flush()]
        denoised = [*(self._denoiser.feed(block) for block in ending), self._denoiser.flush()]
        last = np.concatenate([*(self._from_model.feed(block) for block in denoised), self._from_model.flush()])
        missing = resampled_length(self._taken, self.rate, self.output_rate) - self._given
        return self._count(last[:missing])

    def _give(self, denoised: Samples) -> Samples:
        return self._count(self._from_model.feed(denoised))

    def _count(self, block: Samples) -> Samples:
        self._given += len(block)
        return block


class _Denoiser:
    """Samples at the model's rate in and out, float32 [n, channels]; as many out as in after `flush`."""

    def __init__(self, model: Model, channels: int, attenuation_limit_db: float | None) -> None:
        self._model = model
        device = next(model.network.parameters(), torch.empty(0)).device
        self._device = device
        self._analysis = Analysis(channels, device)
        self._synthesis = Synthesis(channels, device)
        with torch.inference_mode():
            self._state = model.network.initial_state(channels)  # type: ignore[operator]
        self._lookahead: int = model.network.lookahead  # type: ignore[assignment]
        self._ahead = self._lookahead  # first estimates still to be dropped: they belong to frames before the first
        self._kept_noise = None if attenuation_limit_db is None else 10.0 ** (-attenuation_limit_db / 20.0)
        self._delayed = torch.zeros(channels, self._lookahead, BINS, dtype=torch.complex64, device=device)
        # Blocks are cut the same way however the recording is fed: the answer is then the same to the last bit.
        self._block = pass_frames(channels) * HOP  # samples
        self._pending = torch.zeros(channels, 0, device=device)
        self._taken = 0
        self._given = 0

    @torch.inference_mode()
    def feed(self, block: Samples) -> Samples:
        self._taken += len(block)
        samples = torch.from_numpy(np.ascontiguousarray(block.T)).to(self._device)  # [channels, n]
        *whole, self._pending = torch.cat([self._pending, samples], dim=1).tensor_split(self._cuts(len(block)), dim=1)
        return self._denoised([self._analysis.feed(part) for part in whole])

    @torch.inference_mode()
    def flush(self) -> Samples:
        spectra = [self._analysis.feed(self._pending), self._analysis.flush()]
        frames = sum(part.shape[1] for part in spectra) + self._lookahead
        silence = filled_up(frames) - frames
        future = spectra[0].new_zeros(len(spectra[0]), silence + self._lookahead, BINS)
        missing = self._taken - self._given
        return self._denoised([torch.cat([*spectra, future], dim=1)], last=True)[:missing]

    def _cuts(self, more: int) -> list[int]:
        """Where whole blocks end in the pending samples and `more`."""
        available = self._pending.shape[1] + more
        return list(range(self._block, available + 1, self._block))

    def _denoised(self, blocks: list[Tensor], *, last: bool = False) -> Samples:
        """Samples [n, channels] of blocks of spectra."""
        samples = [self._synthesis.feed(self._estimate(spectra, last=last)) for spectra in blocks]
        if not samples:
            return np.zeros((0, len(self._pending)), np.float32)
        answer: Samples = torch.cat(samples, dim=1).T.cpu().numpy()
        self._given += len(answer)
        return answer

    def _estimate(self, spectra: Tensor, *, last: bool) -> Tensor:
        """Clean spectra, in step with the input once the look-ahead is filled."""
        if spectra.shape[1] == 0:
            return spectra
        estimate: Tensor
        estimate, self._state = self._model.forward(spectra, self._state, last=last)
        if self._kept_noise is not None:
            noisy = torch.cat([self._delayed, spectra], dim=1)
            estimate = estimate + (noisy[:, : spectra.shape[1]] - estimate) * self._kept_noise
            self._delayed = noisy[:, spectra.shape[1] :]
        early = min(self._ahead, estimate.shape[1])
        self._ahead -= early
        return estimate[:, early:]


def enhance(blocks: Iterable[Samples], enhancer: Enhancer) -> Iterator[Samples]:
    """Feeds `blocks`, flushes, yields what is ready as float32 [m, channels].

    Raises `AudioTooShort` when the whole recording is shorter than one window of the STFT (32 ms): its spectrum
    would be mostly padding.
    """
    for block in blocks:
        yield enhancer.feed(block)
    minimum = -(-WINDOW * enhancer.rate // SAMPLING_RATE)
    if enhancer.frames_taken < minimum:
        raise AudioTooShort(enhancer.frames_taken, minimum)
    yield enhancer.flush()
