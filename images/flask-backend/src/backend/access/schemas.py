"""Answers of the permission endpoint."""

from __future__ import annotations

from marshmallow import fields, validate

from backend.fields import StrictSchema
from backend.permissions import ROLES

_ROLE = fields.String(required=True, validate=validate.OneOf(ROLES))


class OperationSchema(StrictSchema):
    name = fields.String(required=True, metadata={"description": "`<domain>.<operation>`"})
    method = fields.String(required=True)
    path = fields.String(required=True)
    summary = fields.String(required=True)
    public = fields.Boolean(required=True, metadata={"description": "Needs no sign-in"})
    session_only = fields.Boolean(required=True, metadata={"description": "Refused to API keys, whatever their role"})
    roles = fields.List(_ROLE, required=True)


class PermissionsSchema(StrictSchema):
    roles = fields.List(_ROLE, required=True)
    operations = fields.List(fields.Nested(OperationSchema), required=True)
