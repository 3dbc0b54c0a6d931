"""Request ids, one log line per request, and headers that every answer carries."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from flask import Flask, Response, g, request

log = structlog.get_logger(__name__)
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# An API answers with data: nothing in it may run, be framed or be sniffed into something else.
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
_QUIET = {"/healthz", "/readyz", "/metrics"}


def init_requests(app: Flask) -> None:
    """Bind a request id to the log context and answer with it."""

    @app.before_request
    def bind() -> None:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["X-Request-ID"] = structlog.contextvars.get_contextvars().get("request_id", "")
        response.headers.extend(_SECURITY_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        if request.path not in _QUIET:
            _log_request(response)
        return response


def _log_request(response: Response) -> None:
    principal = g.get("principal")
    log.info(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        duration_ms=round((time.perf_counter() - g.started) * 1000, 1),
        user_id=principal.user_id if principal else None,
        address=request.remote_addr,
    )
