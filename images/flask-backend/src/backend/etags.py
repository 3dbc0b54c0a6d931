"""Entity tags of rows with a version, after RFC 9110."""

from __future__ import annotations

from collections.abc import Callable

from flask import Request, Response, make_response

from backend.problems import Problem

# Given the row as it is now; raises when it must not be changed.
Precondition = Callable[[dict], None]


def tagged(body: dict, row: dict, request: Request, status: int = 200) -> Response:
    """The answer with the row's `ETag`; 304 without a body when a GET's `If-None-Match` names it."""
    response = make_response(body, status)
    response.set_etag(_tag(row))
    return response.make_conditional(request) if request.method == "GET" else response


def any_version(row: dict) -> None:
    """The precondition of a request that names no version."""


def precondition(request: Request) -> Precondition:
    """What a request's `If-Match` demands of the row it changes; call the result under the lock of the change.

    It raises a 412 `Problem` when the row is no longer the one the client saw. Weak tags never match.
    """
    if request.headers.get("If-Match") is None or request.if_match.star_tag:
        return any_version
    wanted = request.if_match

    def check(row: dict) -> None:
        if not wanted.contains(_tag(row)):
            detail = "It was changed meanwhile: read it again, then repeat the change with the new ETag."
            raise Problem(412, detail, "lost-race")

    return check


def _tag(row: dict) -> str:
    return str(row["version"])
