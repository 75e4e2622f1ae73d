"""The training loop: one object that owns the network, its average, the optimizer and the log."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from inference.networks import ARCHITECTURES
from inference.spectral import SAMPLING_RATE, stft
from training.checkpoint import Average, Checkpoint, Weights
from training.forward import estimate
from training.loader import Batch
from training.losses import LossParts, LossWeights, enhancement_loss, normalising_gain
from training.mixtures import Pair
from training.schedule import Schedule
from training.validation import Validation, validate


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """What the loop needs to know; times in seconds, `log_every` in steps."""

    out: Path
    device: str
    precision: str
    weight_decay: float
    clip_norm: float
    average_decay: float
    loss: LossWeights
    log_every: int
    validate_every: float
    save_every: float


class Trainer:
    """Trains one network; `resume` continues from a checkpoint as if there had been no interruption."""

    def __init__(
        self, architecture: str, hyperparameters: dict[str, Any], schedule: Schedule, options: TrainerOptions
    ) -> None:
        self.architecture = architecture
        self.options, self.schedule = options, schedule
        self.network: nn.Module = ARCHITECTURES[architecture].build(hyperparameters).to(options.device)
        self.hyperparameters = hyperparameters
        self.average = Average(self.network, options.average_decay)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=schedule.peak,
            betas=(0.9, 0.99),
            weight_decay=options.weight_decay,
            fused=True,
        )
        self.step, self.elapsed, self.audio_seconds, self.best = 0, 0.0, 0.0, -math.inf
        self.stopping = False
        self.record: dict[str, Any] = {}
        self._recent: list[Tensor] = []  # parts of the loss since the last line of the log

    def start(self, weights: Weights) -> None:
        """Begin with these weights in place of random ones."""
        self.network.load_state_dict(weights)
        self.average = Average(self.network, self.options.average_decay)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Take over everything that `checkpoint` holds; its architecture must be the same."""
        if (checkpoint.architecture, checkpoint.hyperparameters) != (self.architecture, self.hyperparameters):
            raise ValueError(f"the checkpoint is of {checkpoint.architecture} {checkpoint.hyperparameters}")
        self.network.load_state_dict(checkpoint.network)
        self.average.weights = {name: value.to(self.options.device) for name, value in checkpoint.averaged.items()}
        self.optimizer.load_state_dict(checkpoint.optimizer)
        torch.set_rng_state(checkpoint.random_state)
        self.step, self.elapsed = checkpoint.step, checkpoint.elapsed
        self.audio_seconds, self.best = checkpoint.audio_seconds, checkpoint.best

    def checkpoint(self) -> Checkpoint:
        """The state of the training now."""
        return Checkpoint(
            architecture=self.architecture,
            hyperparameters=self.hyperparameters,
            options=self.record,
            step=self.step,
            elapsed=self.elapsed,
            audio_seconds=self.audio_seconds,
            network=self.network.state_dict(),
            averaged=self.average.weights,
            optimizer=self.optimizer.state_dict(),
            random_state=torch.get_rng_state(),
            best=self.best,
        )

    def train(self, batches: Iterator[Batch], validation: Pair | None) -> None:
        """Until the budget is used up or `stopping` is set; saves last.pt and best.pt, appends to log.jsonl."""
        began, saved, validated = time.monotonic() - self.elapsed, self.elapsed, self.elapsed
        logged, logged_audio = self.elapsed, self.audio_seconds
        with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") as bar:
            while self.schedule.progress(self.step, self.elapsed) < 1.0 and not self.stopping:
                norm = self.train_step(next(batches))
                self.elapsed = time.monotonic() - began
                if self.step % self.options.log_every == 0:
                    speed = (self.audio_seconds - logged_audio) / max(self.elapsed - logged, 1e-9)
                    self._log_training(norm, speed, bar)
                    logged, logged_audio = self.elapsed, self.audio_seconds
                if validation is not None and self.elapsed - validated >= self.options.validate_every:
                    self.validate(validation)
                    validated = self.elapsed
                if self.elapsed - saved >= self.options.save_every:
                    self.checkpoint().save(self.options.out / "last.pt")
                    saved = self.elapsed
        if validation is not None:
            self.validate(validation)
        self.checkpoint().save(self.options.out / "last.pt")

    def train_step(self, batch: Batch) -> float:
        """One update; returns the norm of the gradient before clipping. A step with infinite values is left out."""
        rate = self.schedule.learning_rate(self.step, self.elapsed)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        noisy, clean = (tensor.to(self.options.device, non_blocking=True) for tensor in batch)
        samples = estimate(self.network, noisy, precision=self.options.precision)
        gain = normalising_gain(clean, noisy)
        parts = enhancement_loss(stft(samples), stft(clean), samples, clean, gain, self.options.loss)
        self.optimizer.zero_grad(set_to_none=True)
        parts.total.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.network, self.step)
        self.step += 1
        self.audio_seconds += noisy.numel() / SAMPLING_RATE
        self._recent.append(torch.stack([part.detach() for part in parts]))
        return float(norm)

    def validate(self, pairs: Pair) -> Validation:
        """Measure the averaged weights; the best by PESQ are kept in best.pt."""
        raw: dict[str, Tensor] = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average.weights)
        result = validate(self.network, pairs, self.options.loss, self.options.device)
        self.network.load_state_dict(raw)
        self._log({"kind": "valid", **result._asdict()})
        if result.pesq > self.best:
            self.best = result.pesq
            self.checkpoint().save(self.options.out / "best.pt")
        return result

    def _log_training(self, norm: float, speed: float, bar: "tqdm[Any]") -> None:
        means = torch.stack(self._recent).mean(dim=0).tolist()
        self._recent.clear()
        values = {name: round(value, 5) for name, value in zip(LossParts._fields, means, strict=True)}
        self._log({"kind": "train", **values, "norm": round(norm, 4), "audio_per_second": round(speed, 1)})
        bar.n = round(100 * self.schedule.progress(self.step, self.elapsed), 1)
        bar.set_postfix(loss=f"{values['total']:.3f}", audio=f"{self.audio_seconds / 3600:.1f}h", rate=f"{speed:.0f}x")

    def _log(self, entry: dict[str, Any]) -> None:
        rate = self.schedule.learning_rate(self.step, self.elapsed)
        common = {
            "step": self.step,
            "seconds": round(self.elapsed, 1),
            "audio_hours": round(self.audio_seconds / 3600, 3),
        }
        with (self.options.out / "log.jsonl").open("a") as log:
            log.write(json.dumps({**common, "rate": rate, **entry}) + "\n")
