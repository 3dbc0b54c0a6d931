"""The jobs in the database: the one truth about what is to be done, is being done and was done."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

from backend.database import errors
from backend.database.session import Database, fetch, for_update, now
from backend.events.outbox import emit

QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = "queued", "running", "succeeded", "failed", "cancelled"
STATES = (QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED)
MAX_ATTEMPTS = 5
LOST_AFTER = timedelta(seconds=30)
_CHUNK_CHARACTERS = 16_000  # TEXT of MySQL holds 65,535 bytes
_COLUMNS = (
    "id, kind, state, arguments, result, error, progress_done, progress_total, attempts, cancel_requested,"
    " schedule_key, created_by, created_at, started_at, finished_at"
)


def insert(db, kind: str, arguments: dict, created_by: int | None = None, content: str = "", schedule_key=None) -> str:
    """Store a queued job as part of the caller's transaction and return its id.

    Args:
        arguments: small JSON object; shown to whoever may read jobs, so never a secret.
        content: input text of any length, for example a CSV file.
        schedule_key: unique among all jobs; a second job with the same key is a duplicate-key error.
    """
    job_id = uuid.uuid4().hex
    db.jobs.insert(
        id=job_id,
        kind=kind,
        state=QUEUED,
        arguments=json.dumps(arguments),
        schedule_key=schedule_key,
        created_by=created_by,
        created_at=now(),
        queued_at=now(),
    )
    for chunk in _chunks(content):
        db.job_chunks.insert(job_id=job_id, direction="in", content=chunk)
    return job_id


def insert_scheduled(database: Database, kind: str, schedule_key: str) -> str | None:
    """Store the run of a schedule; `None` when another process did already."""

    def work(db) -> str | None:
        if fetch(db, "SELECT id FROM jobs WHERE schedule_key = %s", schedule_key):
            return None
        return insert(db, kind, {}, schedule_key=schedule_key)

    try:
        return database.write(work)
    except Exception as error:
        if errors.duplicate_key(error):
            return None
        raise


def get(db, job_id: str) -> dict | None:
    """A job, its arguments and result decoded, or `None`."""
    rows = fetch(db, f"SELECT {_COLUMNS} FROM jobs WHERE id = %s", job_id)
    return _decoded(rows[0]) if rows else None


def page(db, page: int, per_page: int, state: str, kind: str) -> tuple[int, list[dict]]:
    """Number of all matching jobs, and one page of them, newest first."""
    conditions = [(f"{name} = %s", value) for name, value in (("state", state), ("kind", kind)) if value]
    where = " WHERE " + " AND ".join(text for text, _ in conditions) if conditions else ""
    values = [value for _, value in conditions]
    total = fetch(db, f"SELECT COUNT(*) AS total FROM jobs{where}", *values)[0]["total"]
    sql = f"SELECT {_COLUMNS} FROM jobs{where} ORDER BY created_at DESC, id LIMIT %s OFFSET %s"
    return total, [_decoded(row) for row in fetch(db, sql, *values, per_page, (page - 1) * per_page)]


def claim(database: Database, job_id: str, worker: str) -> dict | None:
    """Make a queued job this worker's; `None` when it is another's already, or cancelled."""

    def work(db) -> dict | None:
        fields = {"state": RUNNING, "worker": worker, "started_at": now(), "heartbeat_at": now()}
        query = (db.jobs.id == job_id) & (db.jobs.state == QUEUED) & (db.jobs.cancel_requested == 0)
        if not db(query).update(attempts=db.jobs.attempts + 1, **fields):
            return None
        # Of an attempt whose worker was lost.
        db((db.job_chunks.job_id == job_id) & (db.job_chunks.direction == "out")).delete()
        job = get(db, job_id)
        _tell(db, job)
        return job

    return database.write(work)


def report(database: Database, job_id: str, worker: str, done: int, total: int) -> bool:
    """Store the progress of a running job; False when it was cancelled or is no longer this worker's."""

    def work(db) -> bool:
        query = (db.jobs.id == job_id) & (db.jobs.worker == worker) & (db.jobs.state == RUNNING)
        fields = {"progress_done": done, "progress_total": total, "heartbeat_at": now()}
        if not db(query & (db.jobs.cancel_requested == 0)).update(**fields):
            return False
        _tell(db, get(db, job_id))
        return True

    return database.write(work)


def append_output(database: Database, job_id: str, worker: str, text: str) -> bool:
    """Add to the output of a running job; False when it is no longer this worker's."""

    def work(db) -> bool:
        if not fetch(db, "SELECT id FROM jobs WHERE id = %s AND worker = %s" + for_update(db), job_id, worker):
            return False
        for chunk in _chunks(text):
            db.job_chunks.insert(job_id=job_id, direction="out", content=chunk)
        return True

    return database.write(work)


def finish(database: Database, job_id: str, worker: str, state: str, result=None, error: str = "") -> bool:
    """Store the end of a running job; False when it is no longer this worker's."""

    def work(db) -> bool:
        query = (db.jobs.id == job_id) & (db.jobs.worker == worker) & (db.jobs.state == RUNNING)
        encoded = json.dumps(result) if result is not None else None
        if not db(query).update(state=state, result=encoded, error=error[:500], finished_at=now()):
            return False
        db((db.job_chunks.job_id == job_id) & (db.job_chunks.direction == "in")).delete()
        _tell(db, get(db, job_id))
        return True

    return database.write(work)


def give_back(database: Database, job_id: str, worker: str) -> None:
    """Queue a running job again, because this worker ends."""

    def work(db) -> None:
        query = (db.jobs.id == job_id) & (db.jobs.worker == worker) & (db.jobs.state == RUNNING)
        db(query).update(state=QUEUED, worker="", queued_at=now(), attempts=db.jobs.attempts - 1)

    database.write(work)


def cancel(db, job_id: str) -> dict | None:
    """Cancel a queued job at once, ask a running one to end; `None` when it ended before (or is unknown)."""
    job = db.jobs.id == job_id
    if db(job & (db.jobs.state == QUEUED)).update(state=CANCELLED, cancel_requested=1, finished_at=now()):
        _tell(db, get(db, job_id))
    elif not db(job & (db.jobs.state == RUNNING)).update(cancel_requested=1):
        return None
    return get(db, job_id)


def beat(database: Database, worker: str) -> None:
    """Say that this worker still runs its jobs."""
    jobs = database.dal.jobs
    database.write(lambda db: db((jobs.worker == worker) & (jobs.state == RUNNING)).update(heartbeat_at=now()))


def sweep(database: Database) -> list[str]:
    """Queue the jobs of lost workers again, and return the ids of all that wait for too long."""

    def work(db) -> list[str]:
        lost = (db.jobs.state == RUNNING) & (db.jobs.heartbeat_at < now() - LOST_AFTER)
        message = f"its worker was lost {MAX_ATTEMPTS} times"
        db(lost & (db.jobs.cancel_requested == 1)).update(state=CANCELLED, finished_at=now())
        db(lost & (db.jobs.attempts >= MAX_ATTEMPTS)).update(state=FAILED, error=message, finished_at=now())
        db(lost).update(state=QUEUED, worker="", queued_at=now() - 2 * LOST_AFTER)
        waiting = (now() - LOST_AFTER).isoformat(" ")
        rows = fetch(db, "SELECT id FROM jobs WHERE state = %s AND queued_at < %s LIMIT 100", QUEUED, waiting)
        ids = [row["id"] for row in rows]
        if ids:
            db(db.jobs.id.belongs(ids)).update(queued_at=now())
        return ids

    return database.write(work)


def content(database: Database, job_id: str, direction: str) -> Iterator[str]:
    """The input (`in`) or output (`out`) text of a job, piece by piece."""
    last = 0
    sql = "SELECT id, content FROM job_chunks WHERE job_id = %s AND direction = %s AND id > %s ORDER BY id LIMIT 16"
    while rows := database.read(lambda db, after=last: fetch(db, sql, job_id, direction, after)):
        yield from (row["content"] for row in rows)
        last = rows[-1]["id"]


def has_output(db, job_id: str) -> bool:
    """Whether a job left an output."""
    return bool(fetch(db, "SELECT id FROM job_chunks WHERE job_id = %s AND direction = 'out' LIMIT 1", job_id))


def queue_depths(db) -> dict[str, int]:
    """Number of jobs that wait or run, by state."""
    sql = "SELECT state, COUNT(*) AS number FROM jobs WHERE state IN ('queued', 'running') GROUP BY state"
    return {QUEUED: 0, RUNNING: 0} | {row["state"]: row["number"] for row in fetch(db, sql)}


def _decoded(row: dict) -> dict:
    result = json.loads(row["result"]) if row["result"] else None
    return row | {"arguments": json.loads(row["arguments"]), "result": result}


def _tell(db, job: dict) -> None:
    keys = ("id", "kind", "state", "progress_done", "progress_total", "error", "created_by")
    kind = "job.finished" if job["state"] in (SUCCEEDED, FAILED, CANCELLED) else "job.progress"
    emit(db, kind, {key: job[key] for key in keys})


def _chunks(text: str) -> Iterator[str]:
    for start in range(0, len(text), _CHUNK_CHARACTERS):
        yield text[start : start + _CHUNK_CHARACTERS]
