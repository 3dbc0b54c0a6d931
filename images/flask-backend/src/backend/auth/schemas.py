"""Bodies of the session endpoints."""

from __future__ import annotations

from marshmallow import fields, validate

from backend.fields import Flag, StrictSchema, UtcDateTime, free_text, text
from backend.users.schemas import MAX_PASSWORD_LENGTH


def _password(**options) -> fields.String:
    return free_text(1, MAX_PASSWORD_LENGTH, required=True, load_only=True, **options)


def _code(pattern: str, **options) -> fields.String:
    return fields.String(
        required=True, load_only=True, validate=validate.Regexp(pattern, error="Not a code."), **options
    )


_TOTP = r"^[0-9]{6}\Z"
_ANY_CODE = r"^([0-9]{6}|[A-Za-z2-7]{6}(-?[A-Za-z2-7]{6}){3})\Z"


class LoginSchema(StrictSchema):
    email = text(1, 254, required=True)
    password = _password()


class SecondFactorSchema(StrictSchema):
    challenge_token = text(1, 200, required=True)
    code = _code(_ANY_CODE, metadata={"description": "Six digits, or a recovery code"})


class RefreshSchema(StrictSchema):
    refresh_token = text(1, 200, required=True)


class LogoutSchema(StrictSchema):
    refresh_token = text(1, 200, metadata={"description": "Accepted for convenience; the session ends anyway"})


class PasswordChangeSchema(StrictSchema):
    current_password = _password()
    new_password = _password()


class ReauthenticationSchema(StrictSchema):
    password = _password(metadata={"description": "The current one, again"})


class TotpCodeSchema(StrictSchema):
    code = _code(_TOTP)


class BothFactorsSchema(StrictSchema):
    password = _password(metadata={"description": "The current one, again"})
    code = _code(_ANY_CODE, metadata={"description": "Six digits, or a recovery code"})


class SessionUserSchema(StrictSchema):
    id = fields.Integer(required=True)
    email = fields.String(required=True)
    full_name = fields.String(required=True)
    role = fields.String(required=True)
    must_change_password = Flag(
        required=True, metadata={"description": "Until it is changed, the token reaches little else"}
    )


class TokensSchema(StrictSchema):
    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds"})
    user = fields.Nested(SessionUserSchema, required=True)


class ChallengeSchema(StrictSchema):
    challenge_token = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds"})


class SessionSchema(StrictSchema):
    id = fields.String(required=True)
    created_at = UtcDateTime(required=True)
    last_used_at = UtcDateTime(required=True, allow_none=True, metadata={"description": "Of the last login or refresh"})
    expires_at = UtcDateTime(required=True)
    address = fields.String(required=True)
    user_agent = fields.String(required=True)
    current = fields.Boolean(required=True, metadata={"description": "The session of this request"})


class SessionListSchema(StrictSchema):
    sessions = fields.List(fields.Nested(SessionSchema), required=True)


class TotpStateSchema(StrictSchema):
    enabled = fields.Boolean(required=True)
    recovery_codes_left = fields.Integer(required=True)


class EnrolmentSchema(StrictSchema):
    secret = fields.String(required=True, metadata={"description": "Base 32, for typing"})
    provisioning_uri = fields.String(required=True, metadata={"description": "otpauth: address, for a QR code"})


class RecoveryCodesSchema(StrictSchema):
    recovery_codes = fields.List(fields.String(), required=True)
