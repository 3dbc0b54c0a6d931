"""Bodies of the session endpoints."""

from __future__ import annotations

from marshmallow import fields

from backend.fields import StrictSchema, text
from backend.users.schemas import MAX_PASSWORD_LENGTH


class LoginSchema(StrictSchema):
    email = text(1, 254, required=True)
    password = text(1, MAX_PASSWORD_LENGTH, required=True, load_only=True)


class RefreshSchema(StrictSchema):
    refresh_token = text(1, 200, required=True)


class LogoutSchema(StrictSchema):
    refresh_token = text(1, 200, metadata={"description": "Accepted for convenience; the session ends anyway"})


class SessionUserSchema(StrictSchema):
    id = fields.Integer(required=True)
    email = fields.String(required=True)
    full_name = fields.String(required=True)
    role = fields.String(required=True)


class TokensSchema(StrictSchema):
    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds"})
    user = fields.Nested(SessionUserSchema, required=True)
