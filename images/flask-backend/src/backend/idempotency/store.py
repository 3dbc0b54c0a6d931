"""Keys and the answers that belong to them, in the database of what they protect."""

from __future__ import annotations

import hmac
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Response
from pydal import DAL

from backend.crypto import SecretBox
from backend.database import errors
from backend.database.session import Database, fetch, now
from backend.logs import HIDDEN

LIFETIME = timedelta(hours=24)
PURGE_ROWS = 500
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")
_SECRETS = HIDDEN | {"key", "recovery_codes"}


class KeyTaken(Exception):
    """The key has been used before; its row tells how."""


class KeyInFlight(Exception):
    """A request with this key is being answered right now."""


@dataclass(frozen=True)
class Key:
    """A key of one principal, and the request that it stands for.

    Attributes:
        id: hash of principal and key, 64 hexadecimal digits; the key itself is not stored.
        fingerprint: of method, path, query and body, which may hold a password: keyed by what is not stored.
        text: the key itself.
    """

    id: str
    fingerprint: str
    text: str = field(repr=False)

    @classmethod
    def of(cls, principal: str, key: str, method: str, path: str, body: bytes) -> Key:
        secret = key.encode()
        return cls(_hash(b"", principal.encode(), secret), _hash(secret, method.encode(), path.encode(), body), key)


@dataclass(frozen=True)
class Answer:
    """What was answered, and to which request."""

    fingerprint: str
    status: int
    headers: dict
    body: str


def find(db: DAL, key: Key) -> Answer | None:
    """The answer that is kept for a key, unless it expired."""
    rows = fetch(db, "SELECT * FROM idempotency_keys WHERE id = %s AND expires_at > %s", key.id, _text(now()))
    if not rows:
        return None
    row = rows[0]
    return Answer(row["fingerprint"], row["status"], json.loads(row["headers"]), row["body"])


def claim(db: DAL, key: Key) -> None:
    """Take the key in the transaction of the effect: a second request with it waits here, and not for long.

    Raises:
        KeyTaken: its request was answered already.
        KeyInFlight: its request has not ended yet.
    """
    row = {"id": key.id, "fingerprint": key.fingerprint, "status": 0, "headers": "{}", "body": ""}
    try:
        with _short_lock_wait(db):
            db((db.idempotency_keys.id == key.id) & (db.idempotency_keys.expires_at <= now())).delete()
            db.idempotency_keys.insert(**row, created_at=now(), expires_at=now() + LIFETIME)
    except Exception as error:
        if errors.duplicate_key(error):
            raise KeyTaken from None
        if errors.lock_timeout(error):
            raise KeyInFlight from None
        raise


def keep(db: DAL, key: Key, response: Response, box: SecretBox | None) -> None:
    """Store the answer, in the transaction that claimed the key.

    Args:
        box: encrypts it; None: it holds no secret.

    Raises:
        CryptoError: the box has no key.
    """
    body = response.get_data(as_text=True)
    if box:
        # It takes both keys to open it: the server's, and the one that is not stored.
        body = box.encrypt(_box_of(key).encrypt(body))
    else:
        _refuse_secrets(body)
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    db(db.idempotency_keys.id == key.id).update(status=response.status_code, headers=json.dumps(headers), body=body)


def body_of(answer: Answer, key: Key, box: SecretBox | None) -> str:
    """The body that was kept with `box`. Raises `CryptoError`."""
    return _box_of(key).decrypt(box.decrypt(answer.body)) if box else answer.body


def release(db: DAL, key: Key) -> None:
    """Give the key back, in the transaction that claimed it: the request was refused and may be sent again."""
    db(db.idempotency_keys.id == key.id).delete()


def purge(database: Database) -> int:
    """Delete up to `PURGE_ROWS` expired keys; returns their number."""

    def work(db: DAL) -> int:
        sql = f"SELECT id FROM idempotency_keys WHERE expires_at <= %s ORDER BY expires_at LIMIT {PURGE_ROWS}"
        ids = [row["id"] for row in fetch(db, sql, _text(now()))]
        return db(db.idempotency_keys.id.belongs(ids)).delete() if ids else 0

    return database.write(work)


@contextmanager
def _short_lock_wait(db: DAL):
    settings = {
        "pooledpostgres": ("SET LOCAL lock_timeout = '500ms'", "SET LOCAL lock_timeout TO DEFAULT"),
        "pooledmysql": ("SET SESSION innodb_lock_wait_timeout = 1", "SET SESSION innodb_lock_wait_timeout = DEFAULT"),
    }.get(db._dbname)
    if settings is None:  # SQLite: the whole file is locked since BEGIN
        yield
        return
    db.executesql(settings[0])
    try:
        yield
    except Exception:
        # PostgreSQL forgets the setting with the transaction, which is over now.
        if db._dbname == "pooledmysql":
            db.executesql(settings[1])
        raise
    db.executesql(settings[1])


def _refuse_secrets(body: str) -> None:
    """A mistake of the program: the answer of such an endpoint must be sealed, or it takes no keys."""
    document = json.loads(body) if body else {}
    secret = _SECRETS & document.keys() if isinstance(document, dict) else set()
    if secret:
        raise RuntimeError(f"an answer with {', '.join(sorted(secret))} must not be kept for an idempotency key")


def _box_of(key: Key) -> SecretBox:
    return SecretBox("idempotent answers", [key.text])


def _hash(secret: bytes, *parts: bytes) -> str:
    digest = hmac.new(secret, digestmod="sha256")
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()


def _text(moment: datetime) -> str:
    return moment.isoformat(" ")
