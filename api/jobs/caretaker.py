"""What has to be done beside the work: jobs whose consumer died, jobs that expire, webhooks that are due.

Every consumer does it. Each step is a change of one record, which only one of them can make.
"""

import http.client
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from api import problems
from api.jobs import webhook
from api.jobs.document import document
from api.jobs.job import ATTEMPTS, Job, NotYours, State, ended, expired, requeued
from api.jobs.places import Places
from api.jobs.queue import JobQueue
from api.jobs.refusals import WebhookRefused
from api.settings import Settings

log = logging.getLogger("hush")
ROUND_SECONDS = 5.0
STRAY_ROUNDS = 720  # rounds between looks for files without a job: an hour
LAST_SECONDS = 60.0  # until a last try that nobody heard of is taken for failed; it takes 20 at most
LOST = f"The service failed {ATTEMPTS} times while it worked on this recording. It will not try again."


class Caretaker:
    """Looks after the jobs in `places`, and puts them into `queue` again."""

    def __init__(self, places: Places, settings: Settings, queue: JobQueue) -> None:
        self._places = places
        self._settings = settings
        self._queue = queue
        self._rounds = 0

    def run(self, stop: threading.Event) -> None:
        """Rounds until `stop`; a round that fails, for example without Redis, is logged and followed by the next."""
        pause = min(ROUND_SECONDS, self._settings.jobs_lease_s / 3)
        while not stop.wait(pause):
            try:
                self.round()
            except Exception:
                log.exception("a round of the caretaker failed")

    def round(self) -> None:
        """Looks at every job once."""
        jobs = self._places.records.all()
        if self._rounds % STRAY_ROUNDS == 0:
            self._places.storage.remove_strays([job.id for job in jobs])
        self._rounds += 1
        for job in jobs:
            self._look_at(job)
        self._ask_again()

    def _ask_again(self) -> None:
        """Jobs wait and nobody is asked for any: a message went down with its consumer. One too many does no harm."""
        if self._queue.is_empty():
            for name in self._places.records.waiting():
                self._queue.put(name)

    def _look_at(self, job: Job) -> None:
        now = time.time()
        try:
            if job.state is State.RUNNING and job.lease_until < now:
                self._recover(job)
            elif job.state is State.EXPIRED:
                self._forget(job, now)
            elif job.is_gone(now):
                self._change(job, lambda job: expired(job, now))
                self._places.storage.delete(job.id)
            elif job.webhook_at is not None and job.webhook_at <= now:
                self._notify(job)
        except (NotYours, KeyError):
            log.debug("job %s is taken care of by another consumer", job.id)

    def _change(self, seen: Job, step: Callable[[Job], Job]) -> Job:
        """Raises `NotYours` when the job is no longer what was `seen`."""

        def unless_changed(job: Job) -> Job:
            if job != seen:
                raise NotYours
            return step(job)

        return self._places.records.change(seen.id, unless_changed)

    def _recover(self, job: Job) -> None:
        """The consumer has died: again from the beginning, unless that has been tried often enough."""
        if job.attempts < ATTEMPTS:
            log.warning("job %s has lost its consumer in attempt %d and is queued again", job.id, job.attempts)
            self._change(job, lambda job: requeued(job, counted=True))
            self._queue.put(job.id)
            return
        log.error("job %s has lost its consumer %d times and is given up", job.id, ATTEMPTS)
        problem = {"type": problems.NO_TYPE, "title": problems.phrase(500), "status": 500, "detail": LOST}
        kept = self._settings.jobs_result_s
        self._change(job, lambda job: ended(job, State.FAILED, time.time(), kept, problem=problem, bytes=0))
        self._places.storage.delete(job.id)

    def _forget(self, job: Job, now: float) -> None:
        if job.expires + self._settings.jobs_gone_s <= now:
            self._places.records.remove(job.id)

    def _notify(self, job: Job) -> None:
        """One try. The next one is noted before it: a crash in between costs no message, at most it repeats one."""
        tries = job.webhook_tries
        if tries > len(webhook.PAUSES):  # the consumer has died during the last one
            self._over(job, "given up")
            return
        last = tries == len(webhook.PAUSES)
        after = time.time() + (LAST_SECONDS if last else webhook.PAUSES[tries])
        tried = self._change(job, lambda job: replace(job, webhook_tries=tries + 1, webhook_at=after))
        secret = self._settings.webhook_secret
        if secret is None:
            return
        try:
            webhook.deliver(
                job.webhook,
                webhook.message(job.state, document(replace(job, webhook_state=""))),
                name=job.id,
                timestamp=int(time.time()),
                secret=secret,
                allowed=self._settings.webhook_hosts,
            )
        except (WebhookRefused, webhook.Undelivered, OSError, http.client.HTTPException) as error:
            log.warning("webhook of job %s, try %d: %s", job.id, tries + 1, error)
            if isinstance(error, WebhookRefused):
                self._over(tried, "refused")
            elif last:
                self._over(tried, "given up")
            return
        self._over(tried, "delivered")

    def _over(self, job: Job, state: str) -> None:
        """No further try."""
        self._change(job, lambda job: replace(job, webhook_at=None, webhook_state=state))
