"""Compiling oneDNN's kernels before the workers are forked, so that they share them.

Compiled in a worker they are its own memory, a quarter of a MiB each, and time of the request that needs them first.
"""

import torch
from torch import Tensor

from inference.lengths import lengths, pass_frames
from inference.networks import Network
from inference.spectral import BINS

MOST_STREAMS = 4  # compiled for; larger batches are the exception, and find their kernels later
ENDING = 3  # spectra that the STFT adds to a stream's last block, besides the look-ahead


@torch.inference_mode()
def compile_kernels(network: Network, streams: int) -> None:
    """Runs `network` once for every shape of passes of up to `streams` streams: as they begin, and as they go on."""
    for together in range(1, min(streams, MOST_STREAMS) + 1):
        beginning = network.initial_state(together)
        whole = pass_frames(together)
        _, going_on = network(_noise(together, whole), beginning)
        for frames in lengths(together, whole + ENDING + network.lookahead):
            for state in (beginning, going_on):
                network(_noise(together, frames), state)


def _noise(streams: int, frames: int) -> Tensor:
    return 0.1 * torch.randn(streams, frames, BINS, dtype=torch.complex64)
