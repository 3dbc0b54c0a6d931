"""Authentication and authorisation of every request, before its view runs."""

from __future__ import annotations

from flask import Flask, g, request

from backend.auth import service
from backend.auth.tokens import InvalidToken
from backend.context import services
from backend.permissions import PERMISSIONS, PUBLIC
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
            if g.principal.role not in allowed:
                raise Problem(403, f"The role {g.principal.role} may not do this.", "forbidden")
        if request.content_length and request.method in ("POST", "PATCH", "PUT") and not request.is_json:
            raise Problem(415, "The body must be JSON (Content-Type: application/json).")


def _principal() -> service.Principal:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, "Sign in first: the request has no Bearer token.", "unauthenticated")
    try:
        return service.authenticate(services(), token.strip())
    except InvalidToken:
        raise Problem(401, "The access token is invalid, expired or revoked.", "invalid-token") from None
