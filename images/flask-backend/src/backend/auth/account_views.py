"""Endpoints of the own password and second factor."""

from __future__ import annotations

from flask import Response, g, request

from backend.auth import password_service, totp_service
from backend.auth.principal import client_of
from backend.auth.schemas import (
    BothFactorsSchema,
    EnrolmentSchema,
    PasswordChangeSchema,
    ReauthenticationSchema,
    RecoveryCodesSchema,
    TotpCodeSchema,
    TotpStateSchema,
)
from backend.context import services
from backend.fields import Blueprint

blueprint = Blueprint("account", __name__, url_prefix="/api/v1/auth", description="Own password and second factor")


@blueprint.post("/password")
@blueprint.arguments(PasswordChangeSchema)
@blueprint.response(204)
def change_password(body):
    """Change the own password and end all sessions"""
    password_service.change_password(
        services(), g.principal, body["current_password"], body["new_password"], client_of(request)
    )
    return Response(status=204)


@blueprint.get("/totp")
@blueprint.response(200, TotpStateSchema)
def get_totp():
    """State of the own second factor"""
    return totp_service.state(services(), g.principal)


@blueprint.post("/totp")
@blueprint.arguments(ReauthenticationSchema)
@blueprint.response(201, EnrolmentSchema)
def enrol_totp(body):
    """Make a secret for an authenticator; it counts once confirmed"""
    return totp_service.enrol(services(), g.principal, body["password"], client_of(request))


@blueprint.post("/totp/confirm")
@blueprint.arguments(TotpCodeSchema)
@blueprint.response(200, RecoveryCodesSchema)
def confirm_totp(body):
    """Turn the second factor on; the recovery codes are shown this once"""
    return totp_service.confirm(services(), g.principal, body["code"], client_of(request))


@blueprint.post("/totp/recovery-codes")
@blueprint.arguments(BothFactorsSchema)
@blueprint.response(200, RecoveryCodesSchema)
def renew_recovery_codes(body):
    """Replace the recovery codes"""
    return totp_service.renew_recovery_codes(
        services(), g.principal, body["password"], body["code"], client_of(request)
    )


@blueprint.post("/totp/disable")
@blueprint.arguments(BothFactorsSchema)
@blueprint.response(204)
def disable_totp(body):
    """Turn the second factor off"""
    totp_service.disable(services(), g.principal, body["password"], body["code"], client_of(request))
    return Response(status=204)
