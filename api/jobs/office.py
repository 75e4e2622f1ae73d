"""What the endpoints do with jobs: take one, find it, cancel it, fetch its result."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import BinaryIO

from api.jobs import addresses
from api.jobs.job import OPEN, Job, State, ended, expired, moment
from api.jobs.options import JobOptions, fingerprint
from api.jobs.places import Places, open_places
from api.jobs.queue import JobQueue
from api.jobs.records import Room
from api.jobs.refusals import (
    JobCancelled,
    JobExpired,
    JobNotReady,
    JobsUnavailable,
    JobWithoutResult,
    UnknownJob,
    WebhookRefused,
)
from api.jobs.tally import Figures
from api.settings import Settings
from inference.audio import FORMATS, AudioReader
from inference.store import Model, ModelStore

ID = re.compile(r"[0-9a-f]{32}")
ID_BYTES = 16  # 128 random bits: nobody guesses the job of another


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is taken, and how long it is kept."""

    room: Room
    max_seconds: float
    max_channels: int
    kept_seconds: float
    webhooks: bool
    webhook_hosts: tuple[str, ...]


class Office:
    """Make it before the fork. Every call may raise `JobsUnavailable`."""

    def __init__(self, places: Places, models: ModelStore, rules: Rules) -> None:
        self._places = places
        self._models = models
        self._rules = rules

    @cached_property
    def _queue(self) -> JobQueue:
        return self._places.open_queue(None)

    def take(self, upload: BinaryIO, options: JobOptions, key: str) -> Job:
        """A new job, or that of the same request before.

        Raises UnknownModel, `WebhookRefused`, what opening the recording raises, UnacceptableFormat, `JobsFull`,
        `IdempotencyKeyReused`, `JobExpired` (of the same request before).
        """
        model = self._models.resolve(options.model)
        self._check_webhook(options.webhook)
        self._check_recording(upload, model, options)
        with self._answering():
            return _there(self._add(self._new(model, options), upload, replace(options, model=model.info.key), key))

    def find(self, name: str) -> Job:
        """The job; raises `UnknownJob`, `JobExpired`."""
        with self._answering():
            job = self._places.records.get(name) if ID.fullmatch(name) else None
        if job is None:
            raise UnknownJob(name)
        return _there(job)

    def position(self, job: Job) -> int | None:
        """Place in the queue, from 1; None for a job that does not wait."""
        if job.state is not State.QUEUED:
            return None
        with self._answering():
            waiting = self._places.records.waiting()
        return waiting.index(job.id) + 1 if job.id in waiting else None

    def cancel(self, name: str) -> Job:
        """Ends a job that waits or runs; of one that is over, removes what is stored.

        Raises `UnknownJob`, `JobExpired`, `JobCancelled`.
        """
        self.find(name)
        with self._answering():
            try:
                job = self._places.records.change(name, self._ended)
            except KeyError as error:  # forgotten in this instant
                raise UnknownJob(name) from error
            self._places.storage.delete(name)
        return job

    def result(self, name: str) -> tuple[Job, int]:
        """A job that is done, and the bytes of its result; raises `JobNotReady`, `JobWithoutResult`, and as `find`."""
        job = self.find(name)
        if job.state in OPEN:
            raise JobNotReady(job.state, self.position(job), round(job.progress, 4))
        if job.state is not State.DONE:
            raise JobWithoutResult(job.state, job.problem)
        with self._answering():
            return job, self._places.storage.size(job.result)

    def read(self, job: Job, start: int, stop: int) -> Iterator[bytes]:
        """Bytes of its result."""
        with self._answering():
            return self._places.storage.read(job.result, start, stop)

    def figures(self) -> Figures:
        """What the metrics say of all jobs."""
        with self._answering():
            return self._places.observed.figures()

    def _check_webhook(self, webhook: str | None) -> None:
        if webhook is None:
            return
        if not self._rules.webhooks:
            raise WebhookRefused("this service calls none, as HUSH_WEBHOOK_SECRET is not set")
        addresses.check(webhook, self._rules.webhook_hosts)

    def _check_recording(self, upload: BinaryIO, model: Model, options: JobOptions) -> None:
        """What can be seen at the beginning is refused now; what is wrong later makes the job fail."""
        rules = self._rules
        with AudioReader(upload, max_seconds=rules.max_seconds, max_channels=rules.max_channels) as reader:
            rate = model.info.sampling_rate if options.sample_rate == "model" else reader.rate
            FORMATS[options.format].require(rate, reader.channels)

    def _new(self, model: Model, options: JobOptions) -> Job:
        now = time.time()
        return Job(
            id=secrets.token_hex(ID_BYTES),
            created=now,
            expires=now + self._rules.kept_seconds,
            model=model.info.key,
            model_version=model.info.version,
            format=options.format,
            sample_rate=options.sample_rate,
            attenuation_limit_db=options.attenuation_limit_db,
            webhook=options.webhook or "",
        )

    def _add(self, job: Job, upload: BinaryIO, options: JobOptions, key: str) -> Job:
        """The recording is stored before the job is known: a consumer may be quick."""
        places = self._places
        mark = fingerprint(options, upload) if key else ""
        known: Job | None = None
        try:
            size = places.storage.put(job.upload, upload)
            known = places.records.add(replace(job, bytes=size, key=key, fingerprint=mark), self._rules.room)
        finally:
            if known is None or known.id != job.id:
                places.storage.delete(job.id)
        if known.id == job.id:
            self._queue.put(job.id)
        return known

    def _ended(self, job: Job) -> Job:
        now = time.time()
        if job.state is State.CANCELLED:
            raise JobCancelled
        if _there(job).state in OPEN:
            return ended(job, State.CANCELLED, now, self._rules.kept_seconds, bytes=0)
        return expired(job, now)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except self._places.trouble as error:
            raise JobsUnavailable from error


def open_office(settings: Settings, models: ModelStore) -> Office | None:
    """The office of a service with these settings, None where it takes no jobs; raises SettingsError."""
    places = open_places(settings)
    if places is None:
        return None
    rules = Rules(
        room=Room(settings.jobs_max_queued, settings.jobs_max_stored_bytes),
        max_seconds=settings.jobs_max_seconds,
        max_channels=settings.max_channels,
        kept_seconds=settings.jobs_result_s,
        webhooks=settings.webhook_secret is not None,
        webhook_hosts=settings.webhook_hosts,
    )
    return Office(places, models, rules)


def _there(job: Job) -> Job:
    if job.is_gone(time.time()):
        raise JobExpired(moment(job.expires) or "")
    return job
