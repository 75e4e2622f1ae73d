"""A recurrent network that estimates a complex mask per frame, with a bounded look-ahead.

    spectra -> features -> dense -> LSTM layers -> dense -> gain of every bin + a short filter for the low bins

The recurrent part may take steps of several frames (`stride`): it then costs that much less per second of audio.

The features are the log power of every bin and the compressed real and imaginary parts of the low bins, all relative
to the running level of the stream, so the estimate does not depend on how loud the recording is. The low bins carry
voiced harmonics: there a filter over neighbouring frames (deep filtering) may also correct the phase.

Sources: Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", 2018 (gains from a
recurrent trunk); Mack and Habets, "Deep filtering", 2019, and Schroeter et al., "DeepFilterNet", 2022 (filter taps
for the low bins); Braun and Tashev, "Data augmentation and loss normalization", 2020 (level-independent features).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from inference.networks.level import LevelState, running_level
from inference.spectral import BINS

COMPRESSION = 0.3  # exponent of the magnitude in the complex features
FLOOR = 1e-6  # power relative to the running level: 60 dB below it counts as nothing


@dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """Hyperparameters of `Recurrent`; the names are those in models/hyperparams.json."""

    hidden: int = 256  # units of the dense layers and of each LSTM layer
    layers: int = 2  # LSTM layers
    fine_bins: int = 96  # low bins with complex features and filter taps: 96 x 31.25 Hz = 3 kHz
    taps: int = 3  # frames under the filter of a low bin, centred on the frame being estimated; odd
    lookahead: int = 4  # frames of the future every frame may use: 4 x 16 ms; a multiple of the stride
    stride: int = 1  # frames in one step of the recurrent part

    def __post_init__(self) -> None:
        if self.lookahead % self.stride:
            raise ValueError(f"the look-ahead must be a multiple of the stride, got {self}")
        if self.taps % 2 == 0 or self.taps // 2 > self.lookahead:
            raise ValueError(f"taps must be odd and reach no further than the look-ahead, got {self}")


class RecurrentState(NamedTuple):
    """What one block of frames hands to the next."""

    level: LevelState
    pending: Tensor  # [batch, 0 to stride - 1, BINS], input frames that do not fill a step yet
    ready: Tensor  # [batch, stride - 1 to 0, BINS], estimates to be given with the next frames
    spectra: Tensor  # [batch, lookahead + taps // 2, BINS], the last input frames of whole steps
    encoded: Tensor  # [batch, lookahead / stride, hidden], encodings of the last steps
    hidden: Tensor  # [layers, batch, hidden]
    cell: Tensor  # [layers, batch, hidden]


BATCH_AXES = (0, 0, 0, 0, 1, 1)  # of the tensors of a state after the level


class Recurrent(nn.Module):
    """See the module docstring. Batch entries do not influence each other."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.lookahead = config.lookahead + config.stride - 1
        hidden, fine, stride = config.hidden, config.fine_bins, config.stride
        self.encoder = nn.Sequential(nn.Linear(stride * (BINS + 2 * fine), hidden), nn.LayerNorm(hidden), nn.PReLU())
        self.trunk = nn.LSTM(hidden, hidden, config.layers, batch_first=True)
        self.decoder = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.PReLU())
        self.gains = nn.Linear(hidden, stride * BINS)
        self.filters = nn.Linear(hidden, stride * config.taps * fine * 2)
        nn.init.zeros_(self.filters.weight)  # training starts from plain gains
        nn.init.zeros_(self.filters.bias)

    def initial_state(self, batch: int) -> RecurrentState:
        """The state before the first frame: silence."""
        c, like = self.config, self.gains.weight

        def frames(count: int) -> Tensor:
            return like.new_zeros(batch, count, BINS, dtype=torch.complex64)

        return RecurrentState(
            level=LevelState.initial(batch, like.device),
            pending=frames(0),
            ready=frames(c.stride - 1),
            spectra=frames(c.lookahead + c.taps // 2),
            encoded=like.new_zeros(batch, c.lookahead // c.stride, c.hidden),
            hidden=like.new_zeros(c.layers, batch, c.hidden),
            cell=like.new_zeros(c.layers, batch, c.hidden),
        )

    def forward(self, spectra: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """Estimate [batch, frames, BINS]: its frame i is the clean speech of input frame i - lookahead."""
        waiting = torch.cat([state.pending, spectra], dim=1)
        whole = waiting.shape[1] - waiting.shape[1] % self.config.stride
        estimate, state = self._steps(waiting[:, :whole], state)
        ready = torch.cat([state.ready, estimate], dim=1)
        frames = spectra.shape[1]
        return ready[:, :frames], state._replace(pending=waiting[:, whole:], ready=ready[:, frames:])

    def phase(self, state: RecurrentState) -> int:
        """Frames that do not fill a step; streams of the same phase go together."""
        return state.pending.shape[1]

    def merged(self, states: Sequence[RecurrentState]) -> RecurrentState:
        """One state of the streams of all `states`, which have the same phase."""
        tensors = zip(*(state[1:] for state in states), strict=True)
        joined = (torch.cat(parts, dim=axis) for parts, axis in zip(tensors, BATCH_AXES, strict=True))
        return RecurrentState(LevelState.merged([state.level for state in states]), *joined)

    def parted(self, state: RecurrentState, sizes: Sequence[int]) -> list[RecurrentState]:
        """The states of the streams, `sizes` of them each."""
        split = (tensor.split(list(sizes), dim=axis) for tensor, axis in zip(state[1:], BATCH_AXES, strict=True))
        parts = zip(state.level.parted(sizes), *split, strict=True)
        return [RecurrentState(*part) for part in parts]

    def _steps(self, spectra: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """Estimate [batch, frames, BINS] of frame i - config.lookahead, for a multiple of `stride` frames."""
        if spectra.shape[1] == 0:
            return spectra, state
        features, level = self._features(spectra, state.level)  # [batch, frames, BINS + 2 * fine_bins]
        features = features.to(self.gains.weight.dtype)
        grouped = features.unflatten(1, (-1, self.config.stride)).flatten(2)  # [batch, steps, stride * (...)]
        steps, delay = grouped.shape[1], state.encoded.shape[1]
        encoded = torch.cat([state.encoded, self.encoder(grouped)], dim=1)  # [batch, delay + steps, hidden]
        trunk, (hidden, cell) = self.trunk(encoded[:, delay:], (state.hidden, state.cell))
        decoded = self.decoder(torch.cat([trunk, encoded[:, :steps]], dim=-1))  # [batch, steps, hidden]
        noisy = torch.cat([state.spectra, spectra], dim=1)
        estimate = self._mask(noisy, decoded, spectra.shape[1])
        return estimate, state._replace(
            level=level, spectra=noisy[:, spectra.shape[1] :], encoded=encoded[:, steps:], hidden=hidden, cell=cell
        )

    def _features(self, spectra: Tensor, level: LevelState) -> tuple[Tensor, LevelState]:
        power = spectra.real.square() + spectra.imag.square()
        reference, level = running_level(power.mean(dim=-1), level)  # [batch, frames]
        relative = power / reference[..., None]
        log_power = (torch.log10(relative + FLOOR) + 2.0) / 2.0  # about zero mean and unit variance on speech
        fine = self.config.fine_bins
        # |X|^0.3 e^{j arg X}, relative to the level: X / sqrt(reference) * relative^((0.3 - 1) / 2)
        scale = (relative[..., :fine] + FLOOR).pow((COMPRESSION - 1.0) / 2.0) * reference[..., None].rsqrt()
        low = spectra[..., :fine]
        return torch.cat([log_power, low.real * scale, low.imag * scale], dim=-1), level

    def _mask(self, noisy: Tensor, decoded: Tensor, frames: int) -> Tensor:
        taps, fine = self.config.taps, self.config.fine_bins
        centre = taps // 2
        gains = torch.sigmoid(self.gains(decoded).float()).unflatten(-1, (-1, BINS)).flatten(1, 2)
        filters = self.filters(decoded).float().unflatten(-1, (-1, taps, fine, 2)).flatten(1, 2)
        # Real times complex would make the gains complex first.
        parts = torch.view_as_real(noisy[:, centre : centre + frames])
        estimate = torch.view_as_complex(gains[..., None] * parts)
        coefficients = torch.view_as_complex(filters.contiguous())  # [batch, frames, taps, fine]
        low = estimate[..., :fine]
        for tap in range(taps):
            low = low + coefficients[:, :, tap] * noisy[:, tap : tap + frames, :fine]
        return torch.cat([low, estimate[..., fine:]], dim=-1)
