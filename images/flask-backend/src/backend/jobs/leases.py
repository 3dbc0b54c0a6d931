"""Leases: a loop that may run in one process of the platform only holds one."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import timedelta

from backend.database import errors
from backend.database.session import Database, now


def holder_name() -> str:
    """A name that no other process has: host, process id and a random part; at most 64 characters."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def acquire(database: Database, name: str, holder: str, seconds: int) -> bool:
    """Take or renew the lease `name` for `seconds`; False while another holder has it.

    Raises:
        DatabaseUnavailable: nobody can tell whose it is.
    """

    def work(db) -> bool:
        leases = db.leases
        mine_or_over = (leases.holder == holder) | (leases.expires_at < now())
        expires_at = now() + timedelta(seconds=seconds)
        if db((leases.name == name) & mine_or_over).update(holder=holder, expires_at=expires_at):
            return True
        if db(leases.name == name).count():
            return False
        leases.insert(name=name, holder=holder, expires_at=expires_at)
        return True

    try:
        return database.write(work)
    except Exception as error:
        if errors.duplicate_key(error):
            return False
        raise


def release(database: Database, name: str, holder: str) -> None:
    """Give the lease back, so that another process need not wait for its end."""
    database.write(lambda db: db((db.leases.name == name) & (db.leases.holder == holder)).delete())
