"""Authentication and authorisation of every request, before its view runs."""

from __future__ import annotations

from flask import Flask, g, request

from backend.auth.credentials import authenticate
from backend.auth.principal import Principal
from backend.auth.tokens import InvalidToken
from backend.context import services
from backend.permissions import BEFORE_PASSWORD_CHANGE, PERMISSIONS, PUBLIC, SESSION_ONLY
from backend.problems import Problem


def init_gate(app: Flask) -> None:
    """Refuse what `PERMISSIONS` does not allow; unknown paths and methods pass on to their 404 or 405."""

    @app.before_request
    def check() -> None:
        if request.endpoint is None:
            return
        allowed = PERMISSIONS.get(request.endpoint, frozenset())
        if allowed != PUBLIC:
            g.principal = _principal()
            _authorise(g.principal, request.endpoint, allowed)
        if not request.path.isprintable():
            # No id has such characters, and not every engine takes them as a value.
            raise Problem(404, "There is nothing with this name.")
        if request.content_length and request.method in ("POST", "PATCH", "PUT") and not request.is_json:
            raise Problem(415, "The body must be JSON (Content-Type: application/json).")


def _authorise(principal: Principal, endpoint: str, allowed: frozenset[str]) -> None:
    if principal.user["must_change_password"] and endpoint not in BEFORE_PASSWORD_CHANGE:
        raise Problem(403, "Change your password first: POST /api/v1/auth/password.", "password-change-required")
    if principal.role not in allowed:
        raise Problem(403, f"The role {principal.role} may not do this.", "forbidden")
    if principal.key and endpoint in SESSION_ONLY:
        raise Problem(403, "An API key may not do this; sign in with a password.", "session-required")


def _principal() -> Principal:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, "Sign in first: the request has no Bearer token.", "unauthenticated")
    try:
        return authenticate(services(), token.strip())
    except InvalidToken:
        raise Problem(401, "The access token is invalid, expired or revoked.", "invalid-token") from None
