"""Secrets at rest."""

from __future__ import annotations

import pytest
from api_client import make_settings
from pydantic import ValidationError

from backend.crypto import CryptoError, SecretBox, secret_box

OLD, NEW = "o" * 32, "n" * 32


def test_round_trip_and_no_two_alike():
    box = SecretBox("webhooks", [NEW])
    first, second = box.encrypt("sëcret"), box.encrypt("sëcret")
    assert first != second
    assert "secret" not in first
    assert box.decrypt(first) == box.decrypt(second) == "sëcret"


def test_rotation_reads_the_old_and_writes_the_new():
    stored = SecretBox("webhooks", [OLD]).encrypt("text")
    both = SecretBox("webhooks", [NEW, OLD])
    assert both.decrypt(stored) == "text"
    assert SecretBox("webhooks", [NEW]).decrypt(both.encrypt("text")) == "text"


@pytest.mark.parametrize("purpose, keys", [("webhooks", [OLD]), ("totp", [NEW]), ("webhooks", [])])
def test_another_key_or_purpose_or_none(purpose, keys):
    stored = SecretBox("webhooks", [NEW]).encrypt("text")
    with pytest.raises(CryptoError, match="ENCRYPTION_KEY_FILE"):
        SecretBox(purpose, keys).decrypt(stored)


def test_changed_texts_are_refused():
    box = SecretBox("webhooks", [NEW])
    stored = box.encrypt("text")
    with pytest.raises(CryptoError):
        box.decrypt(stored[:-6] + "AAAA==")


def test_the_file(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{NEW}\n{OLD}\n")
    settings = make_settings(
        db_type="sqlite", environment="production", password_hash_cost=10, encryption_key_file=path
    )
    assert secret_box(settings, "webhooks").decrypt(SecretBox("webhooks", [OLD]).encrypt("text")) == "text"
    assert NEW not in repr(settings)
    path.write_text("short\n")
    with pytest.raises(ValidationError, match="ENCRYPTION_KEY_FILE: a line"):
        make_settings(db_type="sqlite", encryption_key_file=path)
    without = make_settings(db_type="sqlite", environment="production", password_hash_cost=10)
    with pytest.raises(CryptoError):
        secret_box(without, "webhooks").encrypt("text")
