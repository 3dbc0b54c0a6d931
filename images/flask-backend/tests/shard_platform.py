"""Fixtures and checks of the tests of shards; import all of them."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from api_client import ApiClient, make_settings, reset
from shard_data import arrivals, empty, places, quiet
from unit.test_transfer import environment

from backend.app import create_app
from backend.database.migrate import migrate
from backend.database_settings import DatabaseSettings
from backend.shards.mover import Mover
from backend.shards.registry import PRIMARY
from backend.shards.tables import TABLES

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def databases(tmp_path_factory) -> dict[str, dict]:
    """Settings of a primary (an empty name) and of three shards; the integration tests mix engines."""
    folder = tmp_path_factory.mktemp("shards")
    return {name: {"db_type": "sqlite", "db_sqlite_path": folder / f"{name}.db"} for name in (PRIMARY, *NAMES)}


@pytest.fixture(scope="module")
def settings(databases):
    shards = {name: DatabaseSettings(**databases[name]) for name in NAMES}
    return make_settings(**databases[PRIMARY], shards=shards)


@pytest.fixture(scope="module")
def migrated_app(settings):
    migrate(settings, timeout=60, progress=quiet)
    return create_app(settings)


@pytest.fixture
def app(migrated_app):
    empty(migrated_app)
    reset(migrated_app)
    return migrated_app


def listed(client: ApiClient, **filters) -> list[str]:
    """Ids of all events, page by page."""
    found, cursor = [], {}
    while cursor is not None:
        page = client.get("/api/v1/audit", query_string={"limit": 77, "action": "shards.test"} | filters | cursor)
        assert page.status_code == 200, page.text
        found += [event["id"] for event in page.json["events"]]
        cursor = {"cursor": page.json["next_cursor"]} if page.json["next_cursor"] else None
    return found


def exported(client: ApiClient, **filters) -> tuple[list[str], int]:
    """Ids of an export, and what its header promises."""
    answer = client.get("/api/v1/audit/export", query_string={"action": "shards.test"} | filters)
    assert answer.status_code == 200, answer.text
    return [json.loads(line)["id"] for line in answer.text.splitlines()], int(answer.headers["X-Total-Count"])


def assert_whole(services, client, ids: set[str]) -> None:
    """Every event is in one database, at its home, and readers see each once, in order."""
    layout = services.shards.layout()
    for table in TABLES:
        at = places(services, table.name)
        assert Counter(key for rows in at.values() for key in rows).most_common(1)[0][1] == 1
        for name, rows in at.items():
            wrong = {tenant for tenant in rows.values() if tenant.startswith("t") and layout.home(tenant) != name}
            assert not wrong, (table.name, name, wrong)
    assert arrivals(services) == 0
    assert listed(client) == sorted(ids, reverse=True)
    assert exported(client) == (sorted(ids), len(ids))


class Killed(BaseException):
    pass


def kill_at(patch, step: str, after: bool) -> None:
    """End the mover in its next but one transaction of this kind, before it begins or after its commit."""
    original, calls = Mover._write, Counter()

    def write(self, name, database, work) -> None:
        kinds = {"delete": "table.delete", "confirm": "table.confirm", "store": "table.store"}
        kind = next(key for key, text in kinds.items() if text.partition(".")[2] in work.__code__.co_names)
        calls[kind] += 1
        fatal = kind == step and calls[kind] == 2
        if fatal and not after:
            raise Killed
        original(self, name, database, work)
        if fatal:
            raise Killed

    patch.setattr(Mover, "_write", write)
    patch.setattr(Mover, "_give_back", lambda self: None)


def shards_environment(settings) -> dict[str, str]:
    """Environment of a command that is to use these settings."""
    variables = environment(settings) | {"SHARDS": ",".join(settings.shards)}
    for name, shard in settings.shards.items():
        own = environment(shard)
        variables |= {f"SHARD_{name.upper()}_{key}": own[key] for key in own if key.startswith("DB_")}
    return variables
