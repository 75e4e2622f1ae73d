"""The short-time Fourier transform (STFT), stated once for training and for serving.

Frame ``t`` of a signal covers the samples ``[(t - 1) * HOP, (t + 1) * HOP)``: the signal is preceded by one hop of
zeros, so every sample lies in exactly two frames and the inverse needs no correction at the edges. The square root of
a periodic Hann window is applied before the transform and again after the inverse; at half-overlap the two squared
windows add up to one (sin^2 + cos^2), so analysis followed by synthesis returns the signal exactly.

Source: J. Allen and L. Rabiner, "A unified approach to short-time Fourier analysis and synthesis", Proc. IEEE, 1977.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

SAMPLING_RATE = 16_000  # Hz
WINDOW = 512  # samples: 32 ms
HOP = WINDOW // 2  # samples: 16 ms
BINS = WINDOW // 2 + 1  # from 0 Hz to SAMPLING_RATE / 2, 31.25 Hz apart


@cache
def sqrt_hann(device: torch.device | str = "cpu") -> Tensor:
    """The window of analysis and of synthesis, shape [WINDOW]; one for all on a device, not to be written to."""
    with torch.inference_mode(False):  # so that training may use what serving made first
        return torch.hann_window(WINDOW, periodic=True, dtype=torch.float32, device=device).sqrt()


def frame_count(samples: int) -> int:
    """How many frames `stft` gives for a signal of that many samples."""
    return -(-samples // HOP) + 1


def analyse(samples: Tensor, window: Tensor) -> Tensor:
    """Spectra [batch, frames, BINS] of `samples` [batch, (frames + 1) * HOP], which include the edge hops."""
    spectra: Tensor = torch.fft.rfft(samples.unfold(-1, WINDOW, HOP) * window)
    return spectra


def synthesise(spectra: Tensor, tail: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Overlap-add `spectra` [batch, frames, BINS] to samples [batch, frames * HOP].

    `tail` [batch, HOP] is the second half of the frame before; the new tail is the second element of the answer.
    """
    frames = torch.fft.irfft(spectra, n=WINDOW) * window
    first, second = frames[..., :HOP], frames[..., HOP:]
    overlapped = first + torch.cat([tail[:, None], second[:, :-1]], dim=1)
    return overlapped.flatten(1), second[:, -1]


def stft(samples: Tensor) -> Tensor:
    """Spectra [batch, frame_count(n), BINS], complex64, of whole signals [batch, n] at SAMPLING_RATE."""
    n = samples.shape[-1]
    padded = functional.pad(samples, (HOP, frame_count(n) * HOP - n))
    return analyse(padded, sqrt_hann(samples.device.type))


def istft(spectra: Tensor, length: int) -> Tensor:
    """Whole signals [batch, length] from what `stft` gave."""
    tail = spectra.real.new_zeros(spectra.shape[0], HOP)
    samples, _ = synthesise(spectra, tail, sqrt_hann(spectra.device.type))
    return samples[:, HOP : HOP + length]


class Analysis:
    """`stft` of signals that arrive in pieces; one instance per stream."""

    def __init__(self, batch: int, device: torch.device | str = "cpu") -> None:
        self._window = sqrt_hann(device)
        self._pending = torch.zeros(batch, HOP, device=device)  # the edge hop, later what no frame has ended on

    def feed(self, samples: Tensor) -> Tensor:
        """The spectra [batch, frames, BINS] completed by `samples` [batch, n]; frames may be 0."""
        pending = torch.cat([self._pending, samples], dim=-1)
        frames = max(pending.shape[-1] // HOP - 1, 0)
        self._pending = pending[:, frames * HOP :]
        if frames == 0:
            return pending.new_zeros(pending.shape[0], 0, BINS, dtype=torch.complex64)
        return analyse(pending[:, : (frames + 1) * HOP], self._window)

    def flush(self) -> Tensor:
        """The spectra of the last frames: the stream is completed with zeros, as `stft` does."""
        remainder = self._pending.shape[-1] - HOP
        return self.feed(self._pending.new_zeros(self._pending.shape[0], -remainder % HOP + HOP))


class Synthesis:
    """`istft` of spectra that arrive in pieces; one instance per stream."""

    def __init__(self, batch: int, device: torch.device | str = "cpu") -> None:
        self._window = sqrt_hann(device)
        self._tail = torch.zeros(batch, HOP, device=device)
        self._edge = HOP  # samples of the edge hop still to be dropped

    def feed(self, spectra: Tensor) -> Tensor:
        """Samples [batch, n] completed by `spectra` [batch, frames, BINS]; frames may be 0."""
        if spectra.shape[1] == 0:
            return self._tail.new_zeros(self._tail.shape[0], 0)
        samples, self._tail = synthesise(spectra, self._tail, self._window)
        dropped, self._edge = self._edge, 0
        return samples[:, dropped:]
