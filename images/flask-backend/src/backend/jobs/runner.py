"""Runs one job in a worker thread."""

from __future__ import annotations

import threading

import structlog

from backend.context import Services
from backend.database.errors import DatabaseUnavailable
from backend.jobs import store
from backend.jobs.registry import JobCancelled, JobContext, JobFailed, JobInterrupted, Kind, load_kinds
from backend.tracing import span

log = structlog.get_logger(__name__)


class JobRunner:
    """Claims, runs and finishes jobs.

    Args:
        worker: name of this process in the job table.
        stopping: set when jobs should give up and go back to the queue.
    """

    def __init__(self, services: Services, worker: str, stopping: threading.Event):
        self._services = services
        self._worker = worker
        self._stopping = stopping
        self._kinds = load_kinds()

    def run(self, job_id: str) -> None:
        """Run the job when nobody else does. Never raises: what remains undone, the sweep finds."""
        try:
            job = store.claim(self._services.database, job_id, self._worker)
            if job is not None:
                self._run(job)
        except DatabaseUnavailable as error:
            log.warning("job left to the sweep: the database is unavailable", job_id=job_id, reason=str(error))

    def _run(self, job: dict) -> None:
        structlog.contextvars.bind_contextvars(request_id=f"job-{job['id']}")
        log.info("job started", kind=job["kind"], attempt=job["attempts"])
        kind = self._kinds.get(job["kind"])
        try:
            state, result, error = self._outcome(job, kind)
        except JobInterrupted:
            log.info("job goes back to the queue: this worker ends", kind=job["kind"])
            store.give_back(self._services.database, job["id"], self._worker)
            return
        finally:
            structlog.contextvars.clear_contextvars()
        self._services.metrics.jobs.labels(job["kind"], state).inc()
        store.finish(self._services.database, job["id"], self._worker, state, result, error)
        log.info("job ended", job_id=job["id"], kind=job["kind"], state=state, error=error)

    def _outcome(self, job: dict, kind: Kind | None) -> tuple[str, dict | None, str]:
        if kind is None:
            return store.FAILED, None, "this version knows no such kind of job"
        context = JobContext(self._services, job, self._worker, self._stopping)
        try:
            with span(f"job {kind.name}", job_id=job["id"]):
                result = kind.run(context)
                context.flush()
        except JobCancelled:
            return store.CANCELLED, None, ""
        except JobFailed as error:
            return store.FAILED, None, str(error)
        except (JobInterrupted, DatabaseUnavailable):
            raise
        except Exception:
            log.exception("job failed", kind=kind.name)
            return store.FAILED, None, "the server failed; its log has the cause"
        return store.SUCCEEDED, result, ""
