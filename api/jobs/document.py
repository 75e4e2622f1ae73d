"""What clients are told about a job, by `GET /jobs/ID` and by webhooks."""

from typing import Any

from api.jobs.job import Job, State, moment


def document(job: Job, position: int | None = None) -> dict[str, Any]:
    """The job as JSON; `position` in the queue counts from 1."""
    path = f"/jobs/{job.id}"
    return {
        "id": job.id,
        "state": str(job.state),
        "position": position,
        "progress": round(job.progress, 4),
        "model": job.model,
        "model_version": job.model_version,
        "created": moment(job.created),
        "started": moment(job.started),
        "finished": moment(job.finished),
        "expires": moment(job.expires),
        "attempts": job.attempts,
        "clipped_samples": job.clipped_samples if job.state is State.DONE else None,
        "problem": job.problem,
        "webhook": job.webhook_state or None,
        "links": {"self": path, "audio": f"{path}/audio" if job.state is State.DONE else None},
    }
