"""A POST with an Idempotency-Key happens once, whatever is repeated, interrupted or sent twice at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from api_client import PASSWORD, ApiClient, assert_problem

from backend.crypto import SecretBox
from backend.database import errors
from backend.database.session import fetch, now
from backend.idempotency import store, view

BODY = {"email": "once@example.com", "full_name": "Once", "role": "viewer", "password": PASSWORD}
# POST operations without keys, and why.
EXEMPT = {
    "/api/v1/auth/login": "the answer holds tokens",
    "/api/v1/auth/login/second-factor": "the answer holds tokens",
    "/api/v1/auth/refresh": "the answer holds tokens, and a refresh token is spent once anyway",
    "/api/v1/auth/logout": "repeating it changes nothing",
    "/api/v1/auth/logout-all": "repeating it changes nothing",
    "/api/v1/auth/password": "repeating it is refused: the current password has changed",
    "/api/v1/auth/totp": "the answer holds the secret; repeating it replaces that",
    "/api/v1/auth/totp/confirm": "the answer holds recovery codes; repeating it is refused, and they can be renewed",
    "/api/v1/auth/totp/recovery-codes": "the answer holds recovery codes; repeating it replaces them",
    "/api/v1/auth/totp/disable": "repeating it changes nothing",
    "/api/v1/users/{user_id}/password-reset": "the answer holds the password; repeating it replaces that",
    "/api/v1/webhooks/{webhook_id}/secret": "the answer holds the secret; repeating it replaces that",
}


def create(client: ApiClient, key: str = "key-1", **fields):
    return client.post("/api/v1/users", json=BODY | fields, headers={"Idempotency-Key": key})


def count(services, table: str = "users") -> int:
    return services.database.read(lambda db: fetch(db, f"SELECT COUNT(*) AS n FROM {table}")[0]["n"])


def test_a_repetition_gets_the_first_answer(admin, services):
    first, second = create(admin), create(admin)
    assert first.status_code == second.status_code == 201
    assert first.data == second.data
    assert first.mimetype == second.mimetype
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    assert count(services) == 2


def test_without_a_key_nothing_is_kept(admin, services):
    admin.create_user()
    assert count(services, "idempotency_keys") == 0


@pytest.mark.parametrize("change", [{"full_name": "Other"}, {"email": "other@example.com"}])
def test_another_request_with_the_same_key(admin, services, change):
    create(admin)
    problem = assert_problem(create(admin, **change), 422)
    assert problem["type"] == "urn:triptych:problem:idempotency-key-reused"
    assert count(services) == 2


def test_keys_belong_to_their_principal(app, admin, services):
    admin.create_user(email="second@example.com", role="admin")
    other = ApiClient(app).login("second@example.com", PASSWORD)
    assert create(admin).status_code == 201
    assert_problem(create(other), 409)
    assert create(other, email="else@example.com").status_code == 201


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"email": "admin@example.com"}, 409), ({"password": "short"}, 422), ({"role": "king"}, 422), ({"x": 1}, 422)],
)
def test_a_refused_request_keeps_no_key(admin, services, fields, status):
    assert_problem(create(admin, **fields), status)
    assert count(services, "idempotency_keys") == 0
    assert create(admin).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "tab\t", "ümlaut"])
def test_bad_keys(admin, services, key):
    problem = assert_problem(create(admin, key), 400)
    assert problem["type"] == "urn:triptych:problem:bad-idempotency-key"
    assert count(services) == 1


def test_keys_expire(admin, services):
    first = create(admin).json
    expired = now() - timedelta(seconds=1)
    services.database.write(lambda db: db(db.idempotency_keys).update(expires_at=expired))
    assert_problem(create(admin), 409)  # runs again, and the e-mail address is taken
    second = create(admin, email="later@example.com")
    assert second.status_code == 201
    assert second.json["id"] != first["id"]


def test_expired_keys_are_deleted(admin, services):
    create(admin)
    assert store.purge(services.database) == 0
    services.database.write(lambda db: db(db.idempotency_keys).update(expires_at=now()))
    assert store.purge(services.database) == 1
    assert count(services, "idempotency_keys") == 0


def test_many_at_once_happen_once(app, admin, services):
    def send(_):
        client = ApiClient(app)
        client.tokens = admin.tokens
        return create(client)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert count(services) == 2
    created = {answer.data for answer in answers if answer.status_code == 201}
    assert len(created) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem = assert_problem(answer, 409)
            assert problem["type"] == "urn:triptych:problem:idempotency-key-in-use"
            assert int(answer.headers["Retry-After"]) > 0


def test_another_process_in_flight(admin, services, monkeypatch):
    """Two processes meet at the database: the second is refused (SQLite: waits), and gets the answer afterwards."""
    entered, leave = threading.Event(), threading.Event()
    keep = store.keep

    def slow_keep(*arguments):
        entered.set()
        assert leave.wait(20)
        keep(*arguments)

    monkeypatch.setattr(store, "keep", slow_keep)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(create, admin)
        assert entered.wait(20)
        view._running.clear()  # this process forgets it, as another one would not know it
        second = pool.submit(create, admin)
        try:
            if services.database.engine != "sqlite":
                problem = assert_problem(second.result(), 409)
                assert problem["type"] == "urn:triptych:problem:idempotency-key-in-use"
        finally:
            leave.set()
        assert first.result().status_code == 201
    monkeypatch.undo()
    assert second.result().status_code in (201, 409)
    assert create(admin).data == first.result().data
    assert count(services) == 2


@pytest.mark.parametrize("happened", [True, False])
def test_connection_lost_during_commit(admin, services, monkeypatch, happened):
    """The request itself finds out what became of its COMMIT, and answers as if nothing had been."""
    database = services.database
    commit, losses = database.commit, []

    def lossy_commit():
        if losses or not database.dal.executesql("SELECT COUNT(*) FROM idempotency_keys")[0][0]:
            return commit()
        losses.append(1)
        if happened:
            commit()
        raise errors.UnknownOutcome("lost")

    monkeypatch.setattr(database, "commit", lossy_commit)
    answer = create(admin)
    assert losses
    assert answer.status_code == 201
    assert ("Idempotency-Replayed" in answer.headers) is happened
    assert count(services) == 2
    assert create(admin).data == answer.data


def test_callbacks_run_after_the_commit(services):
    calls = []
    database = services.database
    database.after_commit(lambda: calls.append("at once"))
    with database.unit(lambda db: None) as unit:
        database.after_commit(lambda: calls.append("later"))
        assert calls == ["at once"]
        unit.commit(lambda db: None)
        assert calls == ["at once"]
    assert calls == ["at once", "later"]
    with database.unit(lambda db: None):
        database.after_commit(lambda: calls.append("never"))
    assert calls == ["at once", "later"]


def test_a_failed_step_leaves_the_others(services):
    """Within one transaction each write still fails alone."""
    database = services.database
    insert = "INSERT INTO idempotency_keys (id, fingerprint, status, headers, body, created_at, expires_at)"
    values = " VALUES ('{}', 'f', 1, '{{}}', '', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
    with database.unit(lambda db: None) as unit:
        database.write(lambda db: db.executesql(insert + values.format("one")))
        with pytest.raises(Exception, match="(?i)unique|duplicate"):
            database.write(lambda db: db.executesql(insert + values.format("one")))
        database.write(lambda db: db.executesql(insert + values.format("two")))
        assert database.read(lambda db: fetch(db, "SELECT COUNT(*) AS n FROM idempotency_keys"))[0]["n"] == 2
        unit.commit(lambda db: None)
    assert count(services, "idempotency_keys") == 2


def test_answers_with_secrets_are_never_kept(app, admin, monkeypatch):
    monkeypatch.setattr(store, "_SECRETS", frozenset({"full_name"}))
    assert create(admin).status_code == 500
    monkeypatch.undo()
    assert create(admin).status_code == 201


SECRETS = [
    ("/api/v1/api-keys", {"name": "robot", "role": "viewer"}, "api_keys", "key"),
    ("/api/v1/webhooks", {"url": "https://example.com/hook", "events": ["*"]}, "webhooks", "secret"),
]


@pytest.mark.parametrize(("path", "body", "table", "secret"), SECRETS)
def test_a_repetition_gets_the_same_secret_and_the_database_holds_none(admin, services, path, body, table, secret):
    headers = {"Idempotency-Key": "key-of-a-secret"}
    first, second = (admin.post(path, json=body, headers=headers) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert second.data == first.data
    assert second.headers["Idempotency-Replayed"] == "true"
    assert count(services, table) == 1
    (kept,) = services.database.read(lambda db: fetch(db, "SELECT * FROM idempotency_keys"))
    assert first.json[secret] not in str(kept)
    # The server's key alone opens nothing.
    assert first.json[secret] not in services.idempotent_answers.decrypt(kept["body"])
    changed = admin.post(path, json=body | {next(iter(body)): "https://example.com/other"}, headers=headers)
    assert assert_problem(changed, 422)["type"] == "urn:triptych:problem:idempotency-key-reused"


@pytest.mark.parametrize(("path", "body", "table", "secret"), SECRETS)
def test_a_secret_that_cannot_be_kept_or_read_again(admin, services, monkeypatch, path, body, table, secret):
    headers, box = {"Idempotency-Key": "key-of-a-secret"}, services.idempotent_answers
    monkeypatch.setattr(box, "_fernet", None)
    problem = assert_problem(admin.post(path, json=body, headers=headers), 503)
    assert "ENCRYPTION_KEY_FILE" in problem["detail"]
    assert count(services, table) == count(services, "idempotency_keys") == 0
    monkeypatch.undo()
    assert admin.post(path, json=body, headers=headers).status_code == 201
    monkeypatch.setattr(box, "_fernet", SecretBox("another", ["key"])._fernet)
    problem = assert_problem(admin.post(path, json=body, headers=headers), 409)
    assert problem["type"] == "urn:triptych:problem:idempotent-answer-lost"
    assert count(services, table) == 1


def test_every_post_takes_keys_or_says_why_not(anonymous):
    document = anonymous.get("/api/v1/openapi.json").json
    posts = {path: operations["post"] for path, operations in document["paths"].items() if "post" in operations}
    taking = {
        path
        for path, operation in posts.items()
        if any(parameter.get("name") == "Idempotency-Key" for parameter in operation.get("parameters", []))
    }
    assert taking | EXEMPT.keys() == posts.keys()
    assert not taking & EXEMPT.keys()
    for path in taking:
        assert {"409", "422"} <= posts[path]["responses"].keys(), path
