"""Jobs as the API shows them: list, start, cancel, read the output."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from backend.audit.service import record
from backend.context import Services
from backend.jobs import store
from backend.jobs.queue import QueueUnavailable
from backend.jobs.registry import Kind, load_kinds
from backend.problems import Problem

log = structlog.get_logger(__name__)


def list_jobs(services: Services, role: str, page: int, per_page: int, state: str, kind: str) -> dict:
    """One page of jobs, newest first, and the kinds that the role may start."""
    total, jobs = services.database.read(lambda db: store.page(db, page, per_page, state, kind))
    return {
        "jobs": [_shown(job) for job in jobs],
        "pagination": {"page": page, "per_page": per_page, "total": total, "pages": -(-total // per_page)},
        "kinds": sorted(name for name, kind in load_kinds().items() if role in kind.starters),
    }


def get_job(services: Services, job_id: str) -> dict:
    """A job. Raises a 404 `Problem`."""
    return _shown(_get(services, job_id))


def start_job(services: Services, user_id: int, role: str, name: str, arguments: dict) -> dict:
    """Queue a job.

    Raises:
        Problem: 403 or 422 for the kind, 422 for its arguments, 503 while the queue is away.
    """
    kind = load_kinds().get(name)
    if kind is None or not kind.starters:
        raise Problem(422, "There is no such kind of job.", errors={"json": {"kind": ["Unknown."]}})
    _check_role(kind, role)
    problems = kind.arguments().validate(arguments)
    if problems:
        raise Problem(422, "The arguments do not fit the kind.", errors={"json": {"arguments": problems}})
    try:
        services.queue.check()
    except QueueUnavailable as error:
        log.warning("job refused: the queue is away", reason=str(error))
        detail = "The job queue (Redis) does not answer; nothing was started. Try again."
        raise Problem(503, detail, "queue-unavailable", retry_after=5) from None
    shown = {key: value for key, value in arguments.items() if key != kind.content}
    content = arguments.get(kind.content, "")

    def work(db) -> dict:
        job_id = store.insert(db, name, shown, user_id, content)
        record(db, "jobs.start", "job", job_id, {"kind": name})
        return store.get(db, job_id)

    job = services.database.write(work)
    services.database.after_commit(lambda: _send(services, job["id"]))
    return _shown(job)


def _send(services: Services, job_id: str) -> None:
    try:
        services.queue.send(job_id)
    except QueueUnavailable as error:
        # Acknowledged all the same: the job is in the database, and the sweep queues it again.
        log.warning("job stored, its message is late", job_id=job_id, reason=str(error))


def cancel_job(services: Services, role: str, job_id: str) -> dict:
    """Cancel a job. Raises `Problem`: 403, 404, 409 when it ended already."""
    job = _get(services, job_id)
    kind = load_kinds().get(job["kind"])
    if kind is not None and kind.starters:
        _check_role(kind, role)

    def work(db) -> dict | None:
        cancelled = store.cancel(db, job_id)
        if cancelled:
            record(db, "jobs.cancel", "job", job_id, {"kind": job["kind"]})
        return cancelled

    cancelled = services.database.write(work)
    if cancelled is None:
        raise Problem(409, "The job ended already.", "job-ended")
    return _shown(cancelled)


def job_output(services: Services, role: str, job_id: str) -> tuple[Kind, Iterator[str]]:
    """The kind of a job and its output, piece by piece. Raises `Problem`: 403, 404, 409 while it runs."""
    job = _get(services, job_id)
    kind = load_kinds().get(job["kind"])
    if kind is None or not kind.file_name:
        raise Problem(404, "Jobs of this kind have no output.", "no-output")
    _check_role(kind, role)
    if job["state"] != store.SUCCEEDED:
        raise Problem(409, f"The job is {job['state']}; only one that succeeded has an output.", "no-output-yet")
    return kind, store.content(services.database, job_id, "out")


def _check_role(kind: Kind, role: str) -> None:
    if role not in kind.starters:
        raise Problem(403, f"The role {role} may not do this with jobs of the kind {kind.name}.", "forbidden")


def _get(services: Services, job_id: str) -> dict:
    job = services.database.read(lambda db: store.get(db, job_id))
    if job is None:
        raise Problem(404, f"There is no job {job_id}.", "no-such-job")
    return job


def _shown(job: dict) -> dict:
    kind = load_kinds().get(job["kind"])
    has_output = kind is not None and kind.file_name and job["state"] == store.SUCCEEDED
    return job | {
        "progress": {"done": job["progress_done"], "total": job["progress_total"]},
        "cancel_requested": bool(job["cancel_requested"]),
        "scheduled": job["schedule_key"] is not None,
        "output": f"/api/v1/jobs/{job['id']}/output" if has_output else None,
    }
