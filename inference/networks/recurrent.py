"""A recurrent network that estimates a complex mask per frame, with a bounded look-ahead.

    spectra -> features -> dense (+ preview) -> LSTM layers -> dense -> gain of every bin + a filter for the low

The recurrent part may take steps of several frames (`stride`): it then costs that much less per second of audio. It may
be told what comes next (`preview`): dilated convolutions over the encodings of the next steps, which have no memory, so
that nothing but the look-ahead grows.

The features are the log power of every bin and the compressed real and imaginary parts of the low bins, all relative
to the running level of the stream, so the estimate does not depend on how loud the recording is. The low bins carry
voiced harmonics: there a filter over neighbouring frames (deep filtering) may also correct the phase.

Sources: Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", 2018 (gains from a
recurrent trunk); Mack and Habets, "Deep filtering", 2019, and Schroeter et al., "DeepFilterNet", 2022 (filter taps
for the low bins); van den Oord et al., "WaveNet", 2016 (dilated convolutions, here towards the future); Braun and
Tashev, "Data augmentation and loss normalization", 2020 (level-independent features).
"""

import math
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
    preview: int = 0  # channels of the convolutions over the steps to come; 0 is without
    preview_layers: int = 3  # layer k spans 2 * 2^k further steps: 14 steps in all for 3 layers

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
    spectra: Tensor  # [batch, lookahead + reach * stride + taps // 2, BINS], the last input frames of whole steps
    encoded: Tensor  # [batch, lookahead / stride to that + reach, hidden], encodings of the last steps
    previewed: Tensor  # [batch, 0 to reach, preview], see `Preview`
    hidden: Tensor  # [layers, batch, hidden]
    cell: Tensor  # [layers, batch, hidden]


BATCH_AXES = (0, 0, 0, 0, 0, 1, 1)  # of the tensors of a state after the level


class Preview(nn.Module):
    """What a step may know of the `reach` steps after it; adds nothing until it is trained.

    A stream of encodings [batch, n, hidden] in, what is to be added to them out, `reach` steps late. Each layer holds
    the last steps that it will need again: `held` is those of all layers, one after the other. At first there are
    fewer, and the first layers have theirs.
    """

    def __init__(self, hidden: int, channels: int, layers: int) -> None:
        super().__init__()
        self.reach = 2 * (2**layers - 1)
        self.narrow = nn.Linear(hidden, channels)
        self.layers = nn.ModuleList(nn.Linear(3 * channels, channels) for _ in range(layers))
        self.slopes = nn.ModuleList(nn.PReLU() for _ in range(layers))
        self.widen = nn.Linear(channels, hidden)
        nn.init.zeros_(self.widen.weight)
        nn.init.zeros_(self.widen.bias)

    def forward(self, encoded: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        """The answer [batch, n less what is held more now than before, hidden], and what is held now."""
        steps, kept = self.narrow(encoded), []
        for number, (layer, slope) in enumerate(zip(self.layers, self.slopes, strict=True)):
            dilation, span = 2**number, 2 * 2**number
            mine, held = held[:, :span], held[:, span:]
            steps = torch.cat([mine, steps], dim=1)
            count = max(steps.shape[1] - span, 0)
            kept.append(steps[:, count:])
            taps = [steps[:, tap * dilation :][:, :count] for tap in range(3)]
            steps = taps[0] + slope(layer(torch.cat(taps, dim=-1)))
        return self.widen(steps), torch.cat(kept, dim=1)


class Recurrent(nn.Module):
    """See the module docstring. Batch entries do not influence each other."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        hidden, fine, stride = config.hidden, config.fine_bins, config.stride
        self.preview = Preview(hidden, config.preview, config.preview_layers) if config.preview else None
        self._reach = self.preview.reach if self.preview else 0  # steps
        self._delay = config.lookahead + self._reach * stride  # frames, of the estimates of whole steps
        self.lookahead = self._delay + stride - 1
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
            spectra=frames(self._delay + c.taps // 2),
            encoded=like.new_zeros(batch, c.lookahead // c.stride, c.hidden),
            previewed=like.new_zeros(batch, 0, c.preview),
            hidden=like.new_zeros(c.layers, batch, c.hidden),
            cell=like.new_zeros(c.layers, batch, c.hidden),
        )

    def forward(self, spectra: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """Estimate [batch, frames, BINS]: its frame i is the clean speech of input frame i - lookahead."""
        waiting = _joined(state.pending, spectra)
        whole = waiting.shape[1] - waiting.shape[1] % self.config.stride
        estimate, state = self._steps(waiting[:, :whole], state)
        early = estimate.new_zeros(len(estimate), whole - estimate.shape[1], BINS)
        ready = _joined(state.ready, early, estimate)
        frames = spectra.shape[1]
        return ready[:, :frames], state._replace(pending=waiting[:, whole:], ready=ready[:, frames:])

    def phase(self, state: RecurrentState) -> int:
        """Frames and steps held back; streams of the same phase go together."""
        return state.encoded.shape[1] * self.config.stride + state.pending.shape[1]

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
        """Estimates of frame i - delay for the frames i of whole steps; at first, of those that lie in the stream.

        While the preview reaches beyond what has come there is nothing to estimate yet, and the trunk does not begin.
        """
        if spectra.shape[1] == 0:
            return spectra, state
        skip = self.config.lookahead // self.config.stride
        features, level = self._features(spectra, state.level)  # [batch, frames, BINS + 2 * fine_bins]
        features = features.to(self.gains.weight.dtype)
        grouped = features.unflatten(1, (-1, self.config.stride)).flatten(2)  # [batch, steps, stride * (...)]
        new = self.encoder(grouped)
        encoded = _joined(state.encoded, new)  # [batch, skip + reach + steps, hidden]
        steps = max(encoded.shape[1] - skip - self._reach, 0)
        noisy = _joined(state.spectra, spectra)
        state = state._replace(level=level, spectra=noisy[:, spectra.shape[1] :], encoded=encoded[:, steps:])
        inputs = encoded[:, skip : skip + steps]
        if self.preview is not None:
            added, previewed = self.preview(new, state.previewed)
            inputs, state = inputs + added, state._replace(previewed=previewed)
        if steps == 0:
            return spectra[:, :0], state
        trunk, (hidden, cell) = self.trunk(inputs, (state.hidden, state.cell))
        decoded = self.decoder(torch.cat([trunk, encoded[:, :steps]], dim=-1))  # [batch, steps, hidden]
        estimated = self._mask(noisy[:, spectra.shape[1] - steps * self.config.stride :], decoded)
        return estimated, state._replace(hidden=hidden, cell=cell)

    def _features(self, spectra: Tensor, level: LevelState) -> tuple[Tensor, LevelState]:
        power = (spectra * spectra.conj()).real
        reference, level = running_level(power.mean(dim=-1), level)  # [batch, frames]
        octaves = torch.log2(power / reference[..., None] + FLOOR)
        log_power = octaves * (math.log10(2.0) / 2.0) + 1.0  # about zero mean and unit variance on speech
        fine = self.config.fine_bins
        # |X|^0.3 e^{j arg X}, relative to the level: X / sqrt(reference) * relative^((0.3 - 1) / 2)
        scale = torch.exp2(octaves[..., :fine] * ((COMPRESSION - 1.0) / 2.0)) * reference[..., None].rsqrt()
        low = spectra[..., :fine] * scale
        return torch.cat([log_power, low.real, low.imag], dim=-1), level

    def _mask(self, noisy: Tensor, decoded: Tensor) -> Tensor:
        taps, fine = self.config.taps, self.config.fine_bins
        centre, frames = taps // 2, decoded.shape[1] * self.config.stride
        gains = torch.sigmoid(self.gains(decoded).float()).unflatten(-1, (-1, BINS)).flatten(1, 2)
        filters = self.filters(decoded).float().unflatten(-1, (-1, taps, fine, 2)).flatten(1, 2)
        coefficients = torch.view_as_complex(filters.contiguous())  # [batch, frames, taps, fine]
        estimate: Tensor = gains * noisy[:, centre : centre + frames]
        for tap in range(taps):
            estimate[..., :fine] += coefficients[:, :, tap] * noisy[:, tap : tap + frames, :fine]
        return estimate


def _joined(*parts: Tensor) -> Tensor:
    """The parts one after the other in time, without a copy where only one holds anything."""
    held = [part for part in parts if part.shape[1]]
    return held[0] if len(held) == 1 else torch.cat(parts, dim=1)
