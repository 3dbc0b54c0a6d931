"""Export, import, and the hashes that prove that nothing was lost on the way."""

from __future__ import annotations

import gzip
import os
import random

import pytest
from api_client import ApiClient, make_settings
from click.testing import CliRunner
from transfer_data import MANY, fill

from backend.app import create_app
from backend.cli import cli
from backend.database.migrate import migrate
from backend.database.migrations import required_version
from backend.database.session import fetch
from backend.transfer.dump import TransferError
from backend.transfer.exporter import export, verify
from backend.transfer.importer import import_file
from backend.transfer.rows import Digest


def quiet(_line: str) -> None:
    pass


@pytest.fixture
def other(tmp_path):
    """Settings of an empty SQLite database with the schema."""
    made = make_settings(db_type="sqlite", db_sqlite_path=tmp_path / "other.db")
    migrate(made, 60, quiet)
    return made


@pytest.fixture
def exported(app, admin, settings, tmp_path):
    """A full database and its export: the file, the results, and the id of a user who is gone."""
    gone = fill(app, admin)
    path = tmp_path / "export.gz"
    return path, export(settings, path, quiet), gone


def test_to_another_engine_and_back(app, settings, other, exported, tmp_path):
    path, results, gone = exported
    assert {result.table: result.rows for result in results}["users"] == MANY + 2
    assert import_file(other, path, False, quiet) == results
    assert verify(other, path, quiet) == results
    back = tmp_path / "back.gz"
    assert export(other, back, quiet) == results
    assert import_file(settings, back, True, quiet) == results
    assert verify(settings, path, quiet) == results
    for each in (create_app(other), app):
        client = ApiClient(each).login("admin@example.com", "admin")
        assert client.create_user(email="after@example.com")["id"] > gone


def test_a_session_lives_on_after_the_move(admin, other, exported, app):
    import_file(other, exported[0], False, quiet)
    moved = create_app(other)
    moved.extensions["backend"].tokens.__dict__.update(app.extensions["backend"].tokens.__dict__)
    client = ApiClient(moved)
    client.tokens = admin.tokens
    assert client.get("/api/v1/auth/me").json["email"] == "admin@example.com"


def test_a_full_database_is_refused(settings, services, exported):
    with pytest.raises(TransferError, match=r"not empty \(.*users.*\): give --replace"):
        import_file(settings, exported[0], False, quiet)
    assert services.database.read(lambda db: fetch(db, "SELECT COUNT(*) AS n FROM users"))[0]["n"] == MANY + 2


def test_a_changed_row_is_found(settings, services, exported):
    services.database.write(lambda db: db.executesql("UPDATE users SET full_name = 'x' WHERE email = 'u7@example.com'"))
    with pytest.raises(TransferError, match=r"differs from .* in: users$"):
        verify(settings, exported[0], quiet)


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
def test_a_cut_file_imports_nothing(other, exported, keep):
    path = exported[0]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(TransferError, match="damaged|ends"):
        import_file(other, path, False, quiet)
    assert count_users(other) == 0


def rewrite(path, change) -> None:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join(change(lines)).encode()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "ends early"),
        (lambda lines: lines[:40] + lines[41:], "hashes differ"),
        (lambda lines: [*lines[:40], lines[39], *lines[40:]], "hashes differ|nothing was imported"),
        (lambda lines: [line.replace("u7@", "v7@") for line in lines], "hashes differ"),
        (lambda lines: [line.replace('"email", ', "") for line in lines], "does not fit"),
        (lambda lines: [line.replace("triptych-export", "other") for line in lines], "no export of this program"),
        (lambda lines: [line.replace('"format_version": 1', '"format_version": 2') for line in lines], "has format 2"),
    ],
)
def test_a_changed_file_imports_nothing(other, exported, change, message):
    rewrite(exported[0], change)
    with pytest.raises(TransferError, match=message):
        import_file(other, exported[0], False, quiet)
    assert count_users(other) == 0


def test_another_schema_version_names_the_command(other, exported):
    migrate(other, 60, quiet, required_version() - 1)
    with pytest.raises(TransferError, match=f"run: backend migrate --to {required_version()}"):
        import_file(other, exported[0], False, quiet)


def test_hashes_do_not_depend_on_the_order():
    lines = [str(number) for number in range(100)]
    first, second, twice = Digest(), Digest(), Digest()
    for line in lines:
        first.add(line)
    random.Random(4).shuffle(lines)
    for line in lines:
        second.add(line)
    for line in [*lines, lines[0], lines[0]]:
        twice.add(line)
    assert first == second
    assert first.hash != twice.hash


def test_command_line(settings, other, tmp_path, app):
    """Through the commands, with what a person reads."""
    path = tmp_path / "cli.gz"
    source = environment(settings)
    run = CliRunner().invoke
    wrote = run(cli, ["export", str(path)], env=source)
    assert wrote.exit_code == 0, wrote.output
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert run(cli, ["export", "--verify", str(path)], env=source).exit_code == 0
    read = run(cli, ["import", str(path)], env=environment(other))
    assert read.exit_code == 0, read.output
    assert set(wrote.stdout.splitlines()) == set(read.stdout.splitlines())
    refused = run(cli, ["import", str(path)], env=environment(other))
    assert refused.exit_code == 1
    assert "give --replace" in refused.output
    assert run(cli, ["import", "--replace", str(path)], env=environment(other), input="n\n").exit_code == 1
    assert run(cli, ["import", "--replace", "--yes", str(path)], env=environment(other)).exit_code == 0
    missing = run(cli, ["import", "--replace", "--yes", "/nowhere/x"], env=environment(other))
    assert missing.exit_code == 1
    assert "cannot read" in missing.output
    assert count_users(other) == 1


def count_users(settings) -> int:
    database = create_app(settings).extensions["backend"].database
    return database.read(lambda db: fetch(db, "SELECT COUNT(*) AS n FROM users"))[0]["n"]


def environment(settings) -> dict:
    password = settings.db_password.get_secret_value() if settings.db_password else ""
    return {
        "ENVIRONMENT": "alpha",
        "LOG_LEVEL": "warning",
        "DB_TYPE": settings.db_type,
        "DB_HOST": settings.db_host,
        "DB_PORT": str(settings.db_port or ""),
        "DB_PASSWORD": password,
        "DB_SQLITE_PATH": str(settings.db_sqlite_path),
    }
