"""Bodies and queries of the jobs endpoints."""

from __future__ import annotations

from marshmallow import fields, validate

from backend.fields import StrictSchema, UtcDateTime, text
from backend.jobs.store import STATES
from backend.users.schemas import PaginationSchema


class ProgressSchema(StrictSchema):
    done = fields.Integer(required=True)
    total = fields.Integer(required=True, metadata={"description": "0: not known yet"})


class JobSchema(StrictSchema):
    id = fields.String(required=True)
    kind = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    arguments = fields.Dict(required=True)
    progress = fields.Nested(ProgressSchema, required=True)
    result = fields.Dict(required=True, allow_none=True)
    error = fields.String(required=True)
    attempts = fields.Integer(required=True)
    cancel_requested = fields.Boolean(required=True)
    scheduled = fields.Boolean(required=True, metadata={"description": "Started by a schedule, not by a user"})
    created_by = fields.Integer(required=True, allow_none=True)
    created_at = UtcDateTime(required=True)
    started_at = UtcDateTime(required=True, allow_none=True)
    finished_at = UtcDateTime(required=True, allow_none=True)
    output = fields.String(
        required=True, allow_none=True, metadata={"description": "Path of the output, when the kind has one"}
    )


class JobCreateSchema(StrictSchema):
    kind = text(1, 50, required=True)
    arguments = fields.Dict(load_default=dict)


class JobQuerySchema(StrictSchema):
    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000_000))
    per_page = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))
    state = fields.String(load_default="", validate=validate.OneOf(STATES))
    kind = text(1, 50, load_default="")


class JobListSchema(StrictSchema):
    jobs = fields.List(fields.Nested(JobSchema), required=True)
    pagination = fields.Nested(PaginationSchema, required=True)
    kinds = fields.List(fields.String(), required=True, metadata={"description": "What the caller may start"})
