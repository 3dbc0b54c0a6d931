"""The schema goes up and back, repeats harmlessly, and serves the code of the release before."""

from __future__ import annotations

import importlib
import re
from contextlib import contextmanager

import pytest

from backend.database import catalog, ddl, migrations
from backend.database.engine import build_dal
from backend.database.migrate import MigrationError, current_version, migrate, step_down
from backend.database.migrations import required_version

NEWEST = required_version()
VERSIONS = range(1, NEWEST + 1)


def modules():
    return [importlib.import_module(f"{migrations.__name__}.{name}") for name in migrations._names()]


@pytest.fixture
def go_to(settings):
    """A function that moves the schema and returns the tables, by name, that it then has."""

    def go(version: int) -> dict[str, catalog.Table]:
        assert migrate(settings, 60, lambda line: None, version) == version
        return read_tables(settings)

    yield go
    for _ in range(2):  # guards come with the second one
        migrate(settings, 60, lambda line: None)


def read_tables(settings) -> dict[str, catalog.Table]:
    dal = build_dal(settings)
    try:
        return {table.name: table for table in catalog.tables(dal, settings.db_type)}
    finally:
        dal._adapter.release(healthy=False)


def test_back_to_nothing_and_up_again(go_to):
    newest = go_to(NEWEST)
    assert {"users", "sessions", "refresh_tokens"} <= newest.keys()
    assert go_to(0) == {}
    assert go_to(NEWEST) == newest


@pytest.mark.parametrize("version", VERSIONS)
def test_a_step_back_leaves_what_the_version_before_made(go_to, settings, version):
    before = go_to(version - 1)
    go_to(version)
    assert step_down(settings, 60, lambda line: None) == version - 1
    assert read_tables(settings) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_the_code_before_works_on_the_new_schema(go_to, version):
    """An expand migration keeps every column, and an INSERT that does not know the new ones succeeds."""
    before = go_to(version - 1)
    after = go_to(version)
    if getattr(modules()[version - 1], "CONTRACT", False):
        return
    for name, table in before.items():
        old, new = set(table.columns), set(after[name].columns)
        assert {column.name for column in old} <= {column.name for column in new}, name
        added = {column for column in new if column.name not in {column.name for column in old}}
        assert all(column.optional for column in added), (name, added)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_interrupted_migration_runs_again(go_to, settings, version):
    """MariaDB and MySQL commit at every DDL statement: a kill leaves a part of a migration behind."""
    go_to(version - 1)
    if settings.db_type == "mysql":
        dal = build_dal(settings)
        for statement in migrations.migrations("mysql")[version - 1].up:
            dal.executesql(statement)
        dal.commit()
        dal._adapter.release(healthy=False)
    go_to(version)


def test_nothing_to_take_back(go_to, settings):
    go_to(0)
    with pytest.raises(MigrationError, match="no schema"):
        step_down(settings, 60, lambda line: None)


def test_an_unknown_version_names_the_known_ones(settings):
    with pytest.raises(MigrationError, match=f"no version 9999; this release knows 0 to {NEWEST}"):
        migrate(settings, 60, lambda line: None, 9999)


@pytest.fixture
def release_after(settings, monkeypatch):
    """A context in which this program is the next release, with one more migration."""
    newer = migrations.Migration(NEWEST + 1, "newer", (), ())

    @contextmanager
    def release():
        with monkeypatch.context() as patch:
            patch.setattr("backend.database.migrate.migrations", lambda engine: [*migrations.migrations(engine), newer])
            yield

    return release


def test_a_newer_schema_stays_and_only_its_own_release_takes_it_back(settings, release_after):
    with release_after():
        migrate(settings, 60, lambda line: None)
    assert migrate(settings, 60, lambda line: None) == NEWEST + 1
    with pytest.raises(MigrationError, match="with the release that made them"):
        migrate(settings, 60, lambda line: None, NEWEST)
    with release_after():
        assert step_down(settings, 60, lambda line: None) == NEWEST


def test_a_failed_statement_is_one_line_and_changes_nothing(settings, monkeypatch):
    broken = migrations.Migration(NEWEST + 1, "broken", ("CREATE NONSENSE",), ())
    own = migrations.migrations(settings.db_type)
    monkeypatch.setattr("backend.database.migrate.migrations", lambda engine: [*own, broken])
    with pytest.raises(MigrationError) as caught:
        migrate(settings, 60, lambda line: None)
    assert "\n" not in str(caught.value)
    dal = build_dal(settings)
    assert current_version(dal) == NEWEST
    dal._adapter.release(healthy=False)


def test_numbers_have_no_gap():
    assert [int(name[:4]) for name in migrations._names()] == list(VERSIONS)


@pytest.mark.parametrize(
    ("engine", "statement", "spelled"),
    [
        ("mysql", "CREATE INDEX IF NOT EXISTS i ON t (c)", "CREATE INDEX i ON t (c)"),
        ("mysql", "ALTER TABLE t ADD COLUMN IF NOT EXISTS c {integer}", "ALTER TABLE t ADD COLUMN c INTEGER"),
        ("mysql", "DROP INDEX IF EXISTS i ON t", "DROP INDEX i ON t"),
        ("mysql", "DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS t"),
        ("sqlite", "ALTER TABLE t DROP COLUMN IF EXISTS c", "ALTER TABLE t DROP COLUMN c"),
        ("sqlite", "CREATE INDEX IF NOT EXISTS i ON t (c)", "CREATE INDEX IF NOT EXISTS i ON t (c)"),
        ("postgresql", "DROP INDEX IF EXISTS i ON t", "DROP INDEX IF EXISTS i"),
        ("postgresql", "ALTER TABLE t ADD COLUMN IF NOT EXISTS c {text}", "ALTER TABLE t ADD COLUMN IF NOT EXISTS c TEXT"),
    ],
)  # fmt: skip
def test_spelling(engine, statement, spelled):
    assert ddl.spell([statement], engine) == (spelled,)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__[-30:])
def test_statements_may_be_repeated(module):
    statements = [text for text in module.UP + module.DOWN if isinstance(text, str)]
    for statement in statements:
        if re.match(r"\s*(CREATE|DROP)\s", statement) or re.search(r"\b(ADD|DROP)\s+COLUMN\b", statement):
            assert re.search(r"\bIF (NOT )?EXISTS\b", statement), statement
