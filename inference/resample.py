"""Sampling-rate conversion of streams, aligned to the sample and of exact length.

soxr compensates the delay of its linear-phase filter: output sample k stands for the instant k / rate_out of the input.
"""

from typing import Any

import numpy as np
import soxr

from inference.samples import Samples

QUALITY = "HQ"  # 20 bits: the pass band is flat to 0.91 of the lower Nyquist rate, images are below -120 dB


def resampled_length(frames: int, rate_in: int, rate_out: int) -> int:
    """How many frames `frames` at `rate_in` become at `rate_out` (both Hz): rounded to the nearest, half upwards."""
    return (2 * frames * rate_out + rate_in) // (2 * rate_in)


class StreamResampler:
    """Converts a stream of blocks of shape [frames, channels] from `rate_in` to `rate_out` (Hz).

    The output does not depend on how the stream is cut into blocks, has no delay against the input, and is after
    `flush` `resampled_length` frames long in all. Equal rates pass through untouched.
    """

    def __init__(self, rate_in: int, rate_out: int, channels: int) -> None:
        self.rate_in = rate_in
        self.rate_out = rate_out
        self.channels = channels
        self._taken = 0
        self._given = 0
        self._stream: Any = None
        if rate_in != rate_out:
            self._stream = soxr.ResampleStream(rate_in, rate_out, channels, dtype="float32", quality=QUALITY)

    def feed(self, block: Samples) -> Samples:
        """Takes [n, channels] and gives what is settled by now: [m, channels], possibly none."""
        self._taken += len(block)
        if self._stream is None or not len(block):
            return block
        out: Samples = self._stream.resample_chunk(np.ascontiguousarray(block, np.float32))
        self._given += len(out)
        return out

    def flush(self) -> Samples:
        """The end of the stream, [m, channels]. Nothing may follow."""
        if self._stream is None:
            return np.zeros((0, self.channels), np.float32)
        # soxr rounds the length down at times; silence for one output frame more lets it compute the last one.
        silence = np.zeros((self.rate_in // self.rate_out + 1, self.channels), np.float32)
        rest: Samples = self._stream.resample_chunk(silence, last=True)
        return rest[: resampled_length(self._taken, self.rate_in, self.rate_out) - self._given]
