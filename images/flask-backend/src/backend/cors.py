"""Cross-origin requests: refused by every browser unless `CORS_ALLOWED_ORIGINS` names the page's origin."""

from __future__ import annotations

from flask import Flask, Response, request

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-ID"
_ANSWER_HEADERS = "ETag, Location, Retry-After, X-Request-ID"
_PREFLIGHT_SECONDS = 600


def init_cors(app: Flask, origins: list[str]) -> None:
    """Answer preflights and mark answers for these origins. Tokens travel in a header, so no cookie is ever allowed."""
    if not origins:
        return
    allowed = frozenset(origins)

    @app.before_request
    def preflight() -> Response | None:
        asked = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or not asked or request.headers.get("Origin") not in allowed:
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
        return response

    @app.after_request
    def mark(response: Response) -> Response:
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS
        return response
