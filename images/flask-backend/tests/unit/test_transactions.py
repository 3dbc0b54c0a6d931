"""Which errors are run again, how often, and what a full pool does."""

from __future__ import annotations

import sqlite3
import threading

import psycopg2
import pymysql
import pytest
from api_client import assert_problem

from backend.database import errors, session
from backend.database.errors import DatabaseUnavailable, UnknownOutcome
from backend.database.pool import Pool
from backend.database.session import Database, fetch


class PgError(psycopg2.OperationalError):
    """psycopg2 sets its code from C: a test needs a class of its own."""

    def __init__(self, code: str | None):
        super().__init__("error")
        self.code = code

    @property
    def pgcode(self):
        return self.code


def mysql(code: int) -> pymysql.MySQLError:
    return pymysql.OperationalError(code, "error")


ROLLED_BACK = [
    PgError("40001"),
    PgError("40P01"),
    mysql(1213),
    mysql(1205),
    sqlite3.OperationalError("database is locked"),
]
LOST = [
    *[PgError(code) for code in ("57P01", "57P02", "57P03", "25006", "08000", "08003", "08006", None)],
    *[mysql(code) for code in (1047, 2006, 2013, 1290, 4031)],
]
BUSY = [PgError("53300"), PgError("57014"), mysql(1040), mysql(3024), mysql(1969)]
FAULTS = [PgError("23505"), PgError("42601"), mysql(1062), mysql(1064), sqlite3.IntegrityError("UNIQUE"), ValueError()]


@pytest.fixture
def database(settings, monkeypatch):
    monkeypatch.setattr(session.time, "sleep", lambda seconds: None)
    outcomes = []
    made = Database(settings, deadline=30, on_error=outcomes.append)
    made.outcomes = outcomes
    return made


def failing(error: Exception, times: int):
    """Work that fails so often, and counts how often it ran."""
    runs = []

    def work(db):
        runs.append(1)
        if len(runs) <= times:
            raise error
        return len(runs)

    return work


@pytest.mark.parametrize("error", [*ROLLED_BACK, *LOST], ids=repr)
def test_run_again_until_it_succeeds(app, database, error):
    assert database.write(failing(error, 4)) == 5
    assert database.outcomes == ["retried"] * 4


@pytest.mark.parametrize("error", [ROLLED_BACK[0], LOST[0]], ids=repr)
def test_five_tries(app, database, error):
    with pytest.raises(DatabaseUnavailable):
        database.write(failing(error, 5))
    assert database.outcomes == ["retried"] * 4 + ["unavailable"]


@pytest.mark.parametrize("error", BUSY, ids=repr)
def test_not_worth_another_try(app, database, error):
    with pytest.raises(DatabaseUnavailable):
        database.write(failing(error, 1))
    assert database.outcomes == ["unavailable"]


@pytest.mark.parametrize("error", FAULTS, ids=repr)
def test_faults_of_the_program_pass(app, database, error):
    with pytest.raises(type(error)):
        database.write(failing(error, 1))
    assert database.outcomes == []


def test_no_try_starts_after_the_deadline(app, settings):
    made = Database(settings, deadline=0)
    with pytest.raises(DatabaseUnavailable):
        made.write(failing(ROLLED_BACK[0], 1))
    assert Database(settings, deadline=999)._deadline == session.MAX_DEADLINE_SECONDS == 60


@pytest.mark.parametrize(("error", "runs"), [(LOST[0], 1), (ROLLED_BACK[0], 2)], ids=["lost", "rolled back"])
def test_commit(app, database, monkeypatch, error, runs):
    """A loss during COMMIT is unknown and never repeated; a rollback by the server is certain."""
    commit, failures = database.dal.commit, []

    def failing_commit():
        if not failures:
            failures.append(1)
            raise error
        commit()

    monkeypatch.setattr(database.dal, "commit", failing_commit)
    work = failing(error, 0)
    if runs == 1:
        with pytest.raises(UnknownOutcome):
            database.write(work)
    else:
        assert database.write(work) == runs


def test_a_failed_write_after_a_read_is_undone_whole(app, services):
    """Both use one connection in turn, and a read need not be a transaction."""

    def write(db):
        db(db.users.id > 0).update(full_name="Changed")
        db(db.users.id > 0).update(role="viewer")
        raise LookupError

    sql = "SELECT full_name, role FROM users"
    before = services.database.read(lambda db: fetch(db, sql))
    with pytest.raises(LookupError):
        services.database.write(write)
    assert services.database.read(lambda db: fetch(db, sql)) == before


def test_a_failed_read_leaves_its_connection_in_order(app, services):
    with pytest.raises(Exception, match="no_such_table"):
        services.database.read(lambda db: fetch(db, "SELECT * FROM no_such_table"))
    test_a_failed_write_after_a_read_is_undone_whole(app, services)


def test_a_full_pool_refuses_in_time(app, admin, services, monkeypatch):
    small = Pool(services.database.dal, size=1, wait=0.2)
    monkeypatch.setattr(services.database, "pool", small)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with small.connection(write=False):
            inside.set()
            assert leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(20)
    try:
        problem = assert_problem(admin.get("/api/v1/auth/me"), 503)
        assert problem["type"] == "urn:triptych:problem:database-unavailable"
        assert small.statistics().in_use == 1
        assert small.statistics().refused == 1
        metrics = admin.get("/metrics").text
        assert 'database_pool_in_use{server="primary"} 1.0' in metrics
        assert 'database_pool_refused_total{server="primary"} 1.0' in metrics
    finally:
        leave.set()
        holder.join()
    assert admin.get("/api/v1/auth/me").status_code == 200
    assert small.statistics().in_use == 0


def test_a_connection_that_becomes_free_is_waited_for(app, services):
    small = Pool(services.database.dal, size=1, wait=20)
    inside = threading.Event()

    def hold():
        with small.connection(write=False):
            inside.set()

    holder = threading.Thread(target=hold)
    with small.connection(write=False) as db:
        holder.start()
        assert not inside.wait(0.1)
        assert fetch(db, "SELECT 1 AS one") == [{"one": 1}]
    assert inside.wait(20)
    holder.join()
    assert small.statistics().waits == 1
    assert small.statistics().wait_seconds > 0


def test_lost_and_busy_do_not_overlap():
    assert all(errors.repeatable(error) for error in [*ROLLED_BACK, *LOST])
    assert not any(errors.repeatable(error) for error in [*BUSY, *FAULTS])
