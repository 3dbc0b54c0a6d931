"""Live events within this process, for every engine; `test_events.py` has what only a real server shows."""

from __future__ import annotations

from api_client import ApiClient


def read_until(client: ApiClient, word: str, change=lambda: None, headers: dict | None = None) -> str:
    """What a stream of events says up to a word; `change()` happens once it is open."""
    answer = client.get("/api/v1/events?topics=audit", buffered=False, headers=headers or {})
    assert answer.mimetype == "text/event-stream"
    text = ""
    for piece in answer.iter_encoded():
        if not text:
            change()
        text += piece.decode()
        if word in text:
            break
    answer.close()
    return text


def test_a_change_is_told_and_what_was_missed_comes_after(admin, services):
    text = read_until(admin, "live@example.com", lambda: admin.create_user(email="live@example.com"))
    assert "event: users.create\n" in text
    last = text.rpartition("id: ")[2].partition("\n")[0]
    admin.create_user(email="missed@example.com")
    text = read_until(admin, "missed@example.com", headers={"Last-Event-ID": last})
    assert "live@example.com" not in text
    assert services.streams.open == 0
