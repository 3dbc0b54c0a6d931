"""Endpoints of sessions, and the public keys."""

from __future__ import annotations

import flask
from flask import g, request

from backend.auth import login as login_service
from backend.auth import refresh as refresh_service
from backend.auth import sessions
from backend.auth.principal import client_of
from backend.auth.schemas import (
    ChallengeSchema,
    LoginSchema,
    LogoutSchema,
    RefreshSchema,
    SecondFactorSchema,
    SessionListSchema,
    TokensSchema,
)
from backend.context import services
from backend.fields import Blueprint
from backend.users.schemas import UserSchema

blueprint = Blueprint("auth", __name__, url_prefix="/api/v1/auth", description="Sessions")
keys_blueprint = flask.Blueprint("keys", __name__)


@blueprint.post("/login")
@blueprint.arguments(LoginSchema)
@blueprint.response(200, TokensSchema)
@blueprint.alt_response(202, schema=ChallengeSchema, description="The account has a second factor: one step to go")
@blueprint.doc(security=[])
def login(body):
    """Start a session"""
    answer = login_service.login(services(), body["email"], body["password"], client_of(request))
    return flask.make_response(answer, 202) if "challenge_token" in answer else answer


@blueprint.post("/login/second-factor")
@blueprint.arguments(SecondFactorSchema)
@blueprint.response(200, TokensSchema)
@blueprint.doc(security=[])
def login_second_factor(body):
    """Finish a login with a one-time or recovery code"""
    return login_service.login_second_factor(services(), body["challenge_token"], body["code"], client_of(request))


@blueprint.post("/refresh")
@blueprint.arguments(RefreshSchema)
@blueprint.response(200, TokensSchema)
@blueprint.doc(security=[])
def refresh(body):
    """Spend a refresh token for new tokens"""
    return refresh_service.refresh(services(), body["refresh_token"], client_of(request))


@blueprint.post("/logout")
@blueprint.arguments(LogoutSchema, required=False)
@blueprint.response(204)
def logout(_body):
    """End this session at once, on every replica"""
    sessions.logout(services(), g.principal)
    return flask.Response(status=204)


@blueprint.post("/logout-all")
@blueprint.response(204)
def logout_all():
    """End all of the user's sessions, this one included"""
    sessions.logout_all(services(), g.principal)
    return flask.Response(status=204)


@blueprint.get("/sessions")
@blueprint.response(200, SessionListSchema)
def list_sessions():
    """List the user's own sessions: this one, then the last used, 200 at most"""
    return sessions.list_sessions(services(), g.principal)


@blueprint.delete("/sessions/<string(length=32):session_id>")
@blueprint.response(204)
def end_session(session_id):
    """End one of the user's own sessions"""
    sessions.end_session(services(), g.principal, session_id)
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
