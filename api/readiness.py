"""Whether a worker should get requests: it is not being drained, and inference works in it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from inference.enhancer import Enhancer, enhance
from inference.store import Model

TRIAL_SECONDS = 2.0  # a forward pass over a tenth of a second takes milliseconds; longer means stuck


class Readiness:
    """The state behind `/readyz`, one a worker; `model` gives the model to try.

    A success that is younger than `max_age` seconds is believed. Otherwise a tiny recording is enhanced for real, in a
    thread of its own, so that a stuck network makes the answer "no" and not a hanging health check. There is never
    more than one such thread: who asks meanwhile waits for the same trial.
    """

    def __init__(self, model: Callable[[], Model], *, max_age: float, drain_file: Path | None) -> None:
        self._model = model
        self._max_age = max_age
        self._drain_file = drain_file
        self._draining = False
        self._success = float("-inf")  # time.monotonic() of the last one
        self._guard = threading.Lock()
        self._trial: threading.Thread | None = None

    def drain(self) -> None:
        """From now on this worker is not ready."""
        self._draining = True

    def prime(self) -> None:
        """Computes once, in a thread of its own, before a forked worker starts others.

        The first thread that uses torch after a fork rebuilds a pool of torch's; two that do so at the same time break
        it ("Invalid thread pool!"), which fails a request. The thread that forked does not count: it is set up already.
        """
        self._start_trial().join(TRIAL_SECONDS)

    def succeeded(self) -> None:
        """Notes that a forward pass has just succeeded."""
        self._success = time.monotonic()

    def obstacle(self) -> str | None:
        """Why the worker is not ready, as a sentence; None when it is."""
        if self._draining or (self._drain_file is not None and self._drain_file.exists()):
            return "The service is being drained."
        now = time.monotonic()
        if now - self._success <= self._max_age:
            return None
        self._start_trial().join(TRIAL_SECONDS)
        return None if self._success >= now else f"No forward pass has succeeded within {TRIAL_SECONDS:g} s."

    def _start_trial(self) -> threading.Thread:
        """The trial that is running, or a new one."""
        with self._guard:
            if self._trial is None or not self._trial.is_alive():
                self._trial = threading.Thread(target=self._try, name="readiness-trial", daemon=True)
                self._trial.start()
            return self._trial

    def _try(self) -> None:
        model = self._model()
        rate = model.info.sampling_rate
        noise = np.random.default_rng(0).normal(0.0, 0.1, (rate // 10, 1)).astype(np.float32)
        for block in enhance([noise], Enhancer(model, rate=rate, channels=1)):
            if not np.isfinite(block).all():
                raise RuntimeError("the network answers with values that are not finite")
        self.succeeded()
