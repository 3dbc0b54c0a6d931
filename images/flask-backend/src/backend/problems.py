"""RFC 9457 problem documents: the one shape of every error."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from flask import Flask, Response, json, request
from flask_smorest import Api
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

from backend.database.errors import DatabaseUnavailable
from backend.shards.cluster import ShardUnavailable

log = structlog.get_logger(__name__)


class Problem(HTTPException):
    """An error for the client.

    Args:
        status: HTTP status code, 4xx or 5xx.
        detail: what went wrong, for a person; never a secret.
        slug: stable name for programs, becomes `type`.
        retry_after: seconds to wait, sent as `Retry-After`.
        errors: messages by location and field.
    """

    def __init__(self, status: int, detail: str, slug: str = "", retry_after: int = 0, errors=None):
        super().__init__(detail)
        self.code = status
        self.slug = slug
        self.retry_after = retry_after
        self.errors = errors


class ProblemSchema(Schema):
    type = fields.String(metadata={"description": "Stable name of the problem, or about:blank"})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    instance = fields.String()
    request_id = fields.String()
    errors = fields.Dict(metadata={"description": "Messages by location and field"})


class ProblemApi(Api):
    """flask-smorest whose errors, and their documentation, are problem documents."""

    ERROR_SCHEMA = ProblemSchema

    def _register_responses(self) -> None:
        self.DEFAULT_RESPONSE_CONTENT_TYPE = "application/problem+json"
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def handle_http_exception(self, error: HTTPException) -> Response:
        return problem_response(error)


def problem_response(error: HTTPException) -> Response:
    """The problem document of an HTTP error, whoever raised it."""
    if error.response is not None:
        return error.response
    status = error.code or 500
    data = getattr(error, "data", None) or {}
    errors = getattr(error, "errors", None) or data.get("errors") or data.get("messages")
    slug = getattr(error, "slug", "")
    document = {
        "type": f"urn:triptych:problem:{slug}" if slug else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": "The request has invalid fields." if status == 422 and errors else error.description,
        "instance": request.path,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
    if errors:
        document["errors"] = errors
    response = Response(json.dumps(document), status, mimetype="application/problem+json")
    _add_headers(response, error, status)
    return response


def _add_headers(response: Response, error: HTTPException, status: int) -> None:
    if status == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if getattr(error, "retry_after", 0):
        response.headers["Retry-After"] = str(int(error.retry_after))


def _database_away(error: DatabaseUnavailable) -> Response:
    log.warning("database unavailable", reason=str(error))
    if isinstance(error, ShardUnavailable):
        detail = f"The shard {error.shard} does not answer, so the answer would lack events. Try again."
        return problem_response(Problem(503, detail, "shard-unavailable", retry_after=5))
    detail = "The database does not answer; nothing was acknowledged. Try again."
    return problem_response(Problem(503, detail, "database-unavailable", retry_after=2))


def _unexpected(error: Exception) -> Response:
    log.error("unhandled error", exc_info=error)
    return problem_response(Problem(500, "The server failed; the request id finds the cause in its log."))


def init_problems(app: Flask) -> None:
    """Map what is raised outside the REST blueprints as well."""
    app.register_error_handler(HTTPException, problem_response)
    app.register_error_handler(DatabaseUnavailable, _database_away)
    app.register_error_handler(Exception, _unexpected)
