"""The endpoint of live events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import g, request
from marshmallow import fields, validate

from backend.auth.credentials import authenticate
from backend.auth.tokens import InvalidToken
from backend.context import Services, services
from backend.database.errors import DatabaseUnavailable
from backend.events.hub import EventHub, Listener
from backend.events.outbox import EVERYBODY
from backend.events.streams import frame, stream
from backend.fields import Blueprint, StrictSchema, no_control_characters
from backend.permissions import ADMIN

blueprint = Blueprint("events", __name__, url_prefix="/api/v1/events", description="Live events")
TOPICS = ("job", "guard", "audit")


class EventQuerySchema(StrictSchema):
    topics = fields.String(
        load_default="",
        validate=[no_control_characters, validate.Regexp(rf"^$|^({'|'.join(TOPICS)})(,({'|'.join(TOPICS)}))*$")],
        metadata={"description": "Some of job, guard, audit (admins); all by default"},
    )


@blueprint.get("")
@blueprint.arguments(EventQuerySchema, location="query")
@blueprint.response(200, {"type": "string"}, content_type="text/event-stream")
def stream_events(query):
    """Events as they happen (Server-Sent Events); `Last-Event-ID` continues after a pause"""
    own = services()
    topics = set(query["topics"].split(",")) if query["topics"] else set(TOPICS)
    role = g.principal.role

    def visible(event: dict) -> bool:
        if event["audience"] != EVERYBODY:
            return role == ADMIN and "audit" in topics
        return event["kind"].partition(".")[0] in topics

    last = request.headers.get("Last-Event-ID", "")
    number = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else None
    return stream(own.streams, still_signed_in(own), _pieces(own.events, visible, number))


def still_signed_in(own: Services) -> Callable[[], bool]:
    """A function that tells whether the request's credential would still be accepted, for use after the request."""
    token = request.headers.get("Authorization", "").partition(" ")[2].strip()
    role = g.principal.role

    def check() -> bool:
        try:
            principal = authenticate(own, token)
        except InvalidToken:
            return False
        except DatabaseUnavailable:
            # Nobody can tell; without the database there are no events either.
            return True
        return principal.role == role and not principal.user["must_change_password"]

    return check


def _pieces(hub: EventHub, visible: Callable[[dict], bool], last: int | None) -> Iterator[str | None]:
    listener = hub.listen()
    try:
        yield None
        done = set()
        for event in hub.since(last) if last is not None else []:
            done.add(event["id"])
            if visible(event):
                yield _frame(event)
        yield from _live(listener, visible, done)
    finally:
        hub.leave(listener)


def _live(listener: Listener, visible: Callable[[dict], bool], done: set[int]) -> Iterator[str | None]:
    while True:
        if listener.lost:
            lost, listener.lost = listener.lost, 0
            yield frame("lost", {"events": lost})
        event = listener.take(timeout=0.5)
        if event is not None and event["id"] not in done and visible(event):
            yield _frame(event)
        else:
            yield None


def _frame(event: dict) -> str:
    return frame(event["kind"], {"created_at": event["created_at"], **event["payload"]}, event["id"])
