"""Endpoints of background jobs."""

from __future__ import annotations

from flask import g

from backend.context import services
from backend.fields import Blueprint
from backend.idempotency import idempotent
from backend.jobs import service
from backend.jobs.schemas import JobCreateSchema, JobListSchema, JobQuerySchema, JobSchema
from backend.slots import download

blueprint = Blueprint("jobs", __name__, url_prefix="/api/v1/jobs", description="Background jobs")
_ONE = "/<string(length=32):job_id>"


@blueprint.get("")
@blueprint.arguments(JobQuerySchema, location="query")
@blueprint.response(200, JobListSchema)
def list_jobs(query):
    """List jobs, newest first"""
    return service.list_jobs(services(), g.principal.role, **query)


@blueprint.post("")
@idempotent
@blueprint.arguments(JobCreateSchema)
@blueprint.response(202, JobSchema)
@blueprint.alt_response(503, schema=None, description="The queue is away; nothing was started")
def start_job(body):
    """Start a job"""
    own = g.principal
    job = service.start_job(services(), own.user_id, own.role, body["kind"], body["arguments"])
    return job, {"Location": f"/api/v1/jobs/{job['id']}"}


@blueprint.get(_ONE)
@blueprint.response(200, JobSchema)
def get_job(job_id):
    """Get a job with its progress"""
    return service.get_job(services(), job_id)


@blueprint.post(f"{_ONE}/cancel")
@idempotent
@blueprint.response(202, JobSchema)
def cancel_job(job_id):
    """Cancel a job: at once while it waits, soon while it runs"""
    return service.cancel_job(services(), g.principal.role, job_id)


@blueprint.get(f"{_ONE}/output")
@blueprint.response(200, {"type": "string"}, content_type="text/plain")
def job_output(job_id):
    """Download the output of a job that succeeded"""
    kind, pieces = service.job_output(services(), g.principal.role, job_id)
    return download(services().downloads, pieces, kind.media_type, kind.file_name)
