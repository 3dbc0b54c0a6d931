"""Whom a request is from, and from where."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request

from backend.permissions import lesser_role

SESSION = "session"
MAX_USER_AGENT = 200


@dataclass(frozen=True)
class Client:
    """Where a request comes from, as far as it can be known."""

    address: str
    user_agent: str


def client_of(request: Request) -> Client:
    """The client of a request; control characters of its user agent are dropped."""
    printable = "".join(character for character in request.headers.get("User-Agent", "") if character.isprintable())
    return Client((request.remote_addr or "unknown")[:45], printable[:MAX_USER_AGENT])


@dataclass(frozen=True)
class Principal:
    """Whom a request is from.

    Attributes:
        user: the user's row as a dictionary (`users/rows.py`).
        session_id: of the login, empty for an API key.
        key: prefix and role of the API key, `None` for a session.
    """

    user: dict
    session_id: str
    key: dict | None = None

    @property
    def credential(self) -> str:
        """What the request proved itself with, for the audit log."""
        return f"api-key:{self.key['prefix']}" if self.key else SESSION

    @property
    def user_id(self) -> int:
        return self.user["id"]

    @property
    def role(self) -> str:
        """The user's role; with an API key at most the key's."""
        return lesser_role(self.user["role"], self.key["role"]) if self.key else self.user["role"]
