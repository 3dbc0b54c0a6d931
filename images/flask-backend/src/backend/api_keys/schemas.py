"""Bodies and queries of the API key endpoints."""

from __future__ import annotations

from marshmallow import fields, validate

from backend.fields import StrictSchema, UtcDateTime, text
from backend.permissions import ROLES

MAX_DAYS = 365


class ApiKeyCreateSchema(StrictSchema):
    name = text(1, 100, required=True)
    role = fields.String(
        required=True, validate=validate.OneOf(ROLES), metadata={"description": "Not above the owner's own"}
    )
    expires_in_days = fields.Integer(strict=True, load_default=90, validate=validate.Range(min=1, max=MAX_DAYS))


class ApiKeyQuerySchema(StrictSchema):
    user_id = fields.Integer(
        validate=validate.Range(min=1, max=2**31 - 1), metadata={"description": "Whose; other users' for admins only"}
    )


class ApiKeySchema(StrictSchema):
    id = fields.Integer(required=True)
    user_id = fields.Integer(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True, metadata={"description": "By which the key is recognised"})
    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    created_at = UtcDateTime(required=True)
    expires_at = UtcDateTime(required=True)
    last_used_at = UtcDateTime(
        required=True, allow_none=True, metadata={"description": "To the minute; null: never used"}
    )


class NewApiKeySchema(ApiKeySchema):
    key = fields.String(required=True, metadata={"description": "Shown this once; send it as a Bearer token"})


class ApiKeyListSchema(StrictSchema):
    api_keys = fields.List(fields.Nested(ApiKeySchema), required=True)
