"""One job through the same pipeline as `/predict`: decode, enhance, encode, in blocks."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

import torch

from api.errors import problem_of
from api.jobs.job import Job, NotYours, State, advanced, claimed, ended, held, requeued
from api.jobs.places import Places
from api.settings import Settings
from inference.audio import FORMATS, AudioReader, AudioWriter
from inference.enhancer import Enhancer, enhance
from inference.errors import HushError
from inference.samples import Samples
from inference.store import ModelStore

log = logging.getLogger("hush")
BEAT_SECONDS = 0.5  # how often, at most, the record is brought up to date and looked at: cancelling takes as long


class Stopping(Exception):
    """The consumer is to end; the job goes back into the queue."""


class Pulse:
    """Keeps a job in the hands of `owner` while it makes progress."""

    def __init__(self, places: Places, job: Job, lease: float, is_stopping: Callable[[], bool]) -> None:
        self._places = places
        self._job = job
        self._lease = lease
        self._is_stopping = is_stopping
        self._last = time.monotonic()
        self.progress = 0.0

    def beat(self) -> None:
        """To be called often; raises `Stopping`, and `NotYours` when the job was cancelled or given to another."""
        if self._is_stopping():
            raise Stopping
        if time.monotonic() - self._last < BEAT_SECONDS:
            return
        until = time.time() + self._lease
        self._places.records.change(self._job.id, lambda job: advanced(job, self._job.owner, self.progress, until))
        self._last = time.monotonic()

    def during(self, reader: AudioReader, file: BinaryIO) -> Iterator[Samples]:
        """The blocks of `reader`, with a beat after each; before them it counts them where that has to be."""
        for _ in reader.count():
            self.beat()
        count = 0
        for block in reader.blocks():
            yield block
            count += len(block)
            # Some containers do not say how long they are: the place in the file is near enough.
            share = count / reader.frames if reader.frames else file.tell() / self._job.bytes
            self.progress = min(share, 1.0)
            self.beat()


class Worker:
    """Works on the jobs that it is told, one after the other."""

    def __init__(
        self, places: Places, models: ModelStore, settings: Settings, owner: str, is_stopping: Callable[[], bool]
    ) -> None:
        self._places = places
        self._models = models
        self._settings = settings
        self._owner = owner
        self._is_stopping = is_stopping
        self.requeue: Callable[[str], None] = lambda name: None  # set by whoever has the queue

    def __call__(self, name: str) -> None:
        """Enhances the job unless another consumer has it, or it is over.

        An error that is not the recording's fault is raised, to be logged: the lease runs out, and the job is tried
        again.
        """
        now = time.time()
        lease = self._settings.jobs_lease_s
        try:
            job = self._places.records.change(name, lambda job: claimed(job, self._owner, now, lease))
        except (KeyError, NotYours):
            return
        log.info("job %s begins, attempt %d", job.id, job.attempts)
        try:
            self._finish(job)
        except NotYours:
            log.info("job %s was taken away", job.id)
            self._places.storage.delete(job.result)
        except Stopping:
            self._give_back(job)
        except HushError as error:
            self._fail(job, error)

    def _finish(self, job: Job) -> None:
        pulse = Pulse(self._places, job, self._settings.jobs_lease_s, self._is_stopping)
        storage = self._places.storage
        with TemporaryFile(dir=self._scratch()) as target:
            clipped, version = self._enhance(job, pulse, cast(BinaryIO, target))
            size = storage.put(job.result, cast(BinaryIO, target), pulse.beat)
        self._end(job, State.DONE, progress=1.0, bytes=size, clipped_samples=clipped, model_version=version)
        storage.delete(job.upload)

    def _enhance(self, job: Job, pulse: Pulse, target: BinaryIO) -> tuple[int, str]:
        """Writes the result to `target`; samples that had to be clipped, and the version of the model."""
        torch.set_num_threads(1)  # holds for the thread that says it
        model = self._models.resolve(job.model)
        limits = self._settings.jobs_max_seconds, self._settings.max_channels
        with (
            self._places.storage.open(job.upload, pulse.beat) as file,
            AudioReader(file, max_seconds=limits[0], max_channels=limits[1]) as reader,
        ):
            rate = model.info.sampling_rate if job.sample_rate == "model" else reader.rate
            enhancer = Enhancer(
                model,
                rate=reader.rate,
                channels=reader.channels,
                output_rate=rate,
                attenuation_limit_db=job.attenuation_limit_db,
            )
            with AudioWriter(
                target, FORMATS[job.format], rate=rate, channels=reader.channels, source_subtype=reader.subtype
            ) as writer:
                for block in enhance(pulse.during(reader, file), enhancer):
                    writer.write(block)
                writer.close()
        return writer.clipped_samples, model.info.version

    def _scratch(self) -> Path | None:
        return self._settings.spool_dir

    def _end(self, job: Job, state: State, **more: object) -> None:
        kept = self._settings.jobs_result_s
        self._places.records.change(job.id, lambda now: ended(held(now, self._owner), state, time.time(), kept, **more))
        log.info("job %s is %s", job.id, state)

    def _fail(self, job: Job, error: HushError) -> None:
        try:
            self._end(job, State.FAILED, problem=problem_of(error), bytes=0)
        except NotYours:
            return
        self._places.storage.delete(job.id)

    def _give_back(self, job: Job) -> None:
        try:
            self._places.records.change(job.id, lambda now: requeued(held(now, self._owner), counted=False))
        except NotYours:
            return
        log.info("job %s goes back into the queue", job.id)
        self.requeue(job.id)
