"""Endpoints of sessions, and the public keys."""

from __future__ import annotations

import flask
from flask import g, request

from backend.auth import service
from backend.auth.schemas import LoginSchema, LogoutSchema, RefreshSchema, TokensSchema
from backend.context import services
from backend.fields import Blueprint
from backend.users.schemas import UserSchema

blueprint = Blueprint("auth", __name__, url_prefix="/api/v1/auth", description="Sessions")
keys_blueprint = flask.Blueprint("keys", __name__)


@blueprint.post("/login")
@blueprint.arguments(LoginSchema)
@blueprint.response(200, TokensSchema)
@blueprint.doc(security=[])
def login(body):
    """Start a session"""
    return service.login(services(), body["email"], body["password"], request.remote_addr or "unknown")


@blueprint.post("/refresh")
@blueprint.arguments(RefreshSchema)
@blueprint.response(200, TokensSchema)
@blueprint.doc(security=[])
def refresh(body):
    """Spend a refresh token for new tokens"""
    return service.refresh(services(), body["refresh_token"])


@blueprint.post("/logout")
@blueprint.arguments(LogoutSchema, required=False)
@blueprint.response(204)
def logout(_body):
    """End this session at once, on every replica"""
    service.logout(services(), g.principal)
    return flask.Response(status=204)


@blueprint.get("/me")
@blueprint.response(200, UserSchema)
def me():
    """The signed-in user"""
    return g.principal.user


@keys_blueprint.get("/.well-known/jwks.json")
def jwks():
    """The keys that verify access tokens."""
    return services().tokens.jwks()
