"""Password hashing."""

from __future__ import annotations

import threading

import bcrypt
import pytest
from api_client import ApiClient

from backend.auth.passwords import PasswordHasher
from backend.problems import Problem


@pytest.fixture(scope="module")
def hasher() -> PasswordHasher:
    return PasswordHasher(4)


@pytest.mark.parametrize("password", ["admin", "x" * 1024, "пароль " * 20, "😀" * 64, "a" * 72 + "b"])
def test_hash_and_check(hasher, password):
    stored = hasher.hash(password)
    assert len(stored) == 60
    assert hasher.check(password, stored)
    assert not hasher.check(password + "x", stored)
    assert not hasher.check(password[:-1], stored)


def test_nothing_is_cut_at_72_bytes(hasher):
    stored = hasher.hash("a" * 72 + "one")
    assert not hasher.check("a" * 72 + "two", stored)


def test_unknown_user_never_fits_and_takes_the_same_time(hasher, monkeypatch):
    """What bcrypt's time depends on is the same: there is a hash to compare with, and its cost is."""
    stored, compared, compare = hasher.hash("right"), [], bcrypt.checkpw

    def remembered(password: bytes, hashed: bytes) -> bool:
        compared.append((password, hashed[: len("$2b$04$")], len(hashed)))
        return compare(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", remembered)
    assert not hasher.check("wrong", stored)
    assert not hasher.check("wrong", None)
    assert compared[0] == compared[1]
    assert compared[0][1] == b"$2b$04$"


def test_too_many_at_once_are_sent_away():
    hasher = PasswordHasher(4, concurrency=1, patience=0.05)
    release = threading.Event()
    holding = threading.Event()

    def hold() -> None:
        with hasher._slot():
            holding.set()
            release.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(60)
    with pytest.raises(Problem) as caught:
        hasher.check("x", None)
    release.set()
    holder.join()
    assert caught.value.code == 503
    assert caught.value.retry_after > 0
    assert not hasher.check("x", None)


def test_a_busy_server_answers_503_with_retry_after(app, services, monkeypatch):
    def busy(*_):
        raise Problem(503, "busy", "busy", retry_after=2)

    monkeypatch.setattr(services.hasher, "check", busy)
    answer = ApiClient(app).post("/api/v1/auth/login", json={"email": "admin@example.com", "password": "admin"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
