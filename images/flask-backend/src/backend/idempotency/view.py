"""The decorator of POST views that honour `Idempotency-Key`."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from http import HTTPStatus

import structlog
from flask import Response, g, make_response, request
from flask_smorest import Blueprint
from werkzeug.exceptions import HTTPException

from backend.context import services
from backend.crypto import CryptoError, SecretBox
from backend.database.errors import DatabaseUnavailable
from backend.database.session import Database
from backend.idempotency import store
from backend.idempotency.store import Answer, Key, KeyInFlight, KeyTaken
from backend.problems import Problem

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
PURGE_SECONDS = 600
log = structlog.get_logger(__name__)
_SANE_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_DESCRIPTION = (
    "Send the same key with every repetition of one request: it happens once, and later repetitions get the first"
    " answer (with `Idempotency-Replayed: true`) for 24 hours. Refused requests keep no key. 1 to 255 visible ASCII"
    " characters, for example a UUID; keys are the caller's own. The same key with another request: 422; while the"
    " first still runs: 409 with Retry-After."
)
_PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": _DESCRIPTION,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def idempotent(view: Callable) -> Callable:
    """Let a POST view honour `Idempotency-Key`; write it below `@blueprint.post`, above everything else.

    With a key, all writes of the view commit in one transaction together with the answer, so that a repetition
    finds both or neither, even after a connection that was lost during COMMIT. What else the view sets going
    belongs into `Database.after_commit`. The answer must hold no secret: it is stored.
    """
    return _honouring(view, lambda: None)


def idempotent_with_secret(view: Callable) -> Callable:
    """As `idempotent`, for views whose answer holds a secret: it is stored encrypted.

    Without an encryption key a request with an `Idempotency-Key` gets 503.
    """
    return _honouring(view, lambda: services().idempotent_answers)


def _honouring(view: Callable, box_of: Callable[[], SecretBox | None]) -> Callable:
    @wraps(view)
    def wrapper(*args, **kwargs):
        text = request.headers.get(HEADER)
        if text is None:
            return view(*args, **kwargs)
        if not _SANE_KEY.fullmatch(text):
            raise Problem(400, f"{HEADER} must be 1 to 255 visible ASCII characters.", "bad-idempotency-key")
        path = request.full_path
        key = Key.of(f"user:{g.principal.user_id}", text, request.method, path, request.get_data(cache=True))
        database, box = services().database, box_of()
        with _alone(key):
            return database.retrying(lambda: _attempt(database, key, box, lambda: view(*args, **kwargs)), True)

    refusals = {status.value: status.name for status in (HTTPStatus(409), HTTPStatus(422))}
    return Blueprint.doc(parameters=[_PARAMETER], responses=refusals)(wrapper)


def _attempt(database: Database, key: Key, box: SecretBox | None, view: Callable) -> Response:
    answer = database.once(lambda db: store.find(db, key), write=False)
    if answer:
        return _replay(answer, key, box)
    try:
        return _run(database, key, box, view)
    except KeyTaken:
        # Answered by another process between the two looks.
        answer = database.once(lambda db: store.find(db, key), write=False)
        if answer is None:
            raise _in_flight() from None
        return _replay(answer, key, box)
    except KeyInFlight:
        raise _in_flight() from None
    except CryptoError as error:
        raise Problem(503, f"{HEADER} cannot be honoured here: {error}", "no-encryption-key") from None


def _run(database: Database, key: Key, box: SecretBox | None, view: Callable) -> Response:
    with database.unit(lambda db: store.claim(db, key)) as unit:
        try:
            response = make_response(view())
        except HTTPException:
            # What the view wrote before it refused stays written, as it does without a key.
            if unit.begun:
                unit.commit(lambda db: store.release(db, key))
            raise
        if response.status_code < 300:
            unit.commit(lambda db: store.keep(db, key, response, box))
        elif unit.begun:
            unit.commit(lambda db: store.release(db, key))
    _purge(database)
    return response


def _replay(answer: Answer, key: Key, box: SecretBox | None) -> Response:
    if answer.fingerprint != key.fingerprint:
        text = f"This {HEADER} was used for another request; take a new key."
        raise Problem(422, text, "idempotency-key-reused")
    try:
        body = store.body_of(answer, key, box)
    except CryptoError:
        text = "This was done already, but its answer can no longer be decrypted: delete what was made, and send it with a new key."
        raise Problem(409, text, "idempotent-answer-lost") from None
    return Response(body, answer.status, answer.headers | {REPLAYED: "true"})


def _in_flight() -> Problem:
    text = f"A request with this {HEADER} is still being answered."
    return Problem(409, text, "idempotency-key-in-use", retry_after=1)


_running: set[str] = set()
_running_lock = threading.Lock()


@contextmanager
def _alone(key: Key) -> Iterator[None]:
    """Refuse a second request of this process at once; other processes meet at the database."""
    with _running_lock:
        if key.id in _running:
            raise _in_flight()
        _running.add(key.id)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(key.id)


_purge_lock = threading.Lock()
_next_purge = 0.0


def _purge(database: Database) -> None:
    global _next_purge
    with _purge_lock:
        if time.monotonic() < _next_purge:
            return
        _next_purge = time.monotonic() + PURGE_SECONDS
    with suppress(DatabaseUnavailable):
        store.purge(database)
