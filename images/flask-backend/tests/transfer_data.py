"""A database with something awkward in it, for the tests of export and import."""

from __future__ import annotations

from api_client import ApiClient

from backend.database.session import placeholders

TEXTS = ["back\\slash", "quote ' \" ; --", "percent %s {y}", "line\nbreak\ttab", "😀 𝔘", "ß é ｆ", " spaces ", ""]
MANY = 1203  # more than two batches


def fill(app, admin: ApiClient) -> int:
    """Users with every kind of text, a session, a kept answer; returns the id of a user who is gone again."""
    services = app.extensions["backend"]

    def insert(db) -> None:
        sql = "INSERT INTO users (email, full_name, role, password_hash, created_at, updated_at) VALUES {}".format(
            ", ".join(["(%s, %s, 'viewer', 'x', '2026-01-31 12:00:00', '2024-02-29 23:59:59')"] * MANY)
        )
        values = [value for n in range(MANY) for value in (f"u{n}@example.com", TEXTS[n % len(TEXTS)])]
        db.executesql(placeholders(db, sql), placeholders=values)

    services.database.write(insert)
    body = {"email": "kept@example.com", "full_name": "K", "role": "viewer", "password": "password of a user"}
    assert admin.post("/api/v1/users", json=body, headers={"Idempotency-Key": "kept"}).status_code == 201
    gone = admin.create_user(email="gone@example.com")["id"]
    assert admin.delete(f"/api/v1/users/{gone}").status_code == 204
    return gone
