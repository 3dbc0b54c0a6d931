"""Settings: every bad value is one line that names its variable, and exit code 2."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from backend.cli import cli
from backend.config import ConfigError, load_settings

SOURCE = Path(__file__).resolve().parents[2] / "src"
SQLITE = {"DB_TYPE": "sqlite"}
SERVER = {"DB_TYPE": "postgresql", "DB_HOST": "db", "DB_PASSWORD": "x"}
SHARD = {f"SHARD_A_{name}": value for name, value in SERVER.items()} | {"SHARD_A_DB_HOST": "other"}
SECRET = "very secret value"


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """A function that replaces the whole environment; `{file}` and `{empty}` name prepared files."""
    (tmp_path / "file").write_text(f"{SECRET}\n")
    (tmp_path / "empty").write_text("")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    paths = {name: str(tmp_path / name) for name in ("file", "empty", "binary")}

    def replace(values: dict) -> None:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in values.items():
            monkeypatch.setenv(name, value.format(**paths))
        monkeypatch.chdir(tmp_path)

    return replace


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "DB_TYPE: is required"),
        ({"DB_TYPE": "oracle"}, "DB_TYPE:"),
        (SQLITE | {"ENVIRONMENT": "dev"}, "ENVIRONMENT:"),
        (SQLITE | {"PORT": "tcp://10.0.0.1:5000"}, "PORT:"),
        (SQLITE | {"PORT": "70000"}, "PORT:"),
        (SQLITE | {"LOG_LEVEL": "loud"}, "LOG_LEVEL:"),
        (SQLITE | {"DB_SQLITE_PATH": "/no/such/folder/x.db"}, "DB_SQLITE_PATH: no directory"),
        (SQLITE | {"GO_BACKEND_TARGET": "go-backend"}, "GO_BACKEND_TARGET: must be host:port"),
        (SQLITE | {"GO_BACKEND_TARGET": "go-backend:http"}, "GO_BACKEND_TARGET: must be host:port"),
        (SQLITE | {"JWT_SIGNING_KEY_FILE": "/no/such/key.pem"}, "JWT_SIGNING_KEY_FILE: cannot read"),
        (SQLITE | {"PASSWORD_HASH_COST": "4"}, "PASSWORD_HASH_COST: must be at least 10"),
        (SQLITE | {"FIRST_ADMIN_EMAIL": "a@b.c", "FIRST_ADMIN_PASSWORD": "admin"}, "FIRST_ADMIN_PASSWORD: must have"),
        (SQLITE | {"FIRST_ADMIN_EMAIL": "a@b.c", "FIRST_ADMIN_PASSWORD": "x" * 11}, "FIRST_ADMIN_PASSWORD: must have"),
        (SQLITE | {"FIRST_ADMIN_PASSWORD": "x" * 12}, "FIRST_ADMIN_EMAIL: is required"),
        (SQLITE | {"FIRST_ADMIN_PASSWORD": "x", "FIRST_ADMIN_PASSWORD_FILE": "{file}"}, "not both"),
        ({"DB_TYPE": "postgresql"}, "DB_HOST: is required"),
        ({"DB_TYPE": "mysql", "DB_HOST": "postgres://u:p@h/d", "DB_PASSWORD": "x"}, "DB_HOST: must be a host name"),
        ({"DB_TYPE": "mysql", "DB_HOST": "h"}, "DB_PASSWORD: set DB_PASSWORD or DB_PASSWORD_FILE"),
        ({"DB_TYPE": "mysql", "DB_HOST": "h", "DB_PASSWORD_FILE": "/none"}, "DB_PASSWORD_FILE: cannot read /none"),
        ({"DB_TYPE": "mysql", "DB_HOST": "h", "DB_PASSWORD_FILE": "{empty}"}, "is empty"),
        ({"DB_TYPE": "mysql", "DB_HOST": "h", "DB_PASSWORD_FILE": "{binary}"}, "is not UTF-8"),
        (SERVER | {"DB_SSLMODE": "maybe"}, "DB_SSLMODE:"),
        (SERVER | {"DB_SSLMODE": "verify-full"}, "DB_CA_FILE: is required"),
        (SERVER | {"DB_CA_FILE": "/none"}, "DB_CA_FILE: cannot read"),
        (SERVER | {"SHARDS": "a"}, "SHARDS: SHARD_A_DB_TYPE: is required"),
        (SERVER | {"SHARDS": "A"}, "SHARDS: 'A' is no name of a shard"),
        (SERVER | {"SHARDS": "a,a"} | SHARD, "SHARDS: a is there twice"),
        (SERVER | {"SHARDS": "a"} | SHARD | {"SHARD_A_DB_PORT": "x"}, "SHARDS: SHARD_A_DB_PORT: "),
        (
            SERVER | {"SHARDS": "a"} | SHARD | {"SHARD_A_DB_PASSWORD_FILE": "/none"},
            "SHARD_A_DB_PASSWORD_FILE: set either",
        ),
        (SERVER | {"SHARDS": "a"} | SHARD | {"SHARD_A_DB_HOST": "db"}, "SHARDS: a is the database of the primary"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_values(environment, values, words):
    environment(values)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    text = str(caught.value)
    assert words in text
    assert "\n" not in text
    assert SECRET not in text


def test_files_give_secrets_that_no_text_shows(environment):
    environment({"DB_TYPE": "mysql", "DB_HOST": "h", "DB_PASSWORD_FILE": "{file}"})
    settings = load_settings()
    assert settings.db_password.get_secret_value() == SECRET
    assert settings.db_port == 3306
    assert SECRET not in repr(settings)


def test_shards_have_the_settings_of_a_database(environment):
    values = {"SHARDS": "a, eu-2", "SHARD_EU_2_DB_TYPE": "mysql", "SHARD_EU_2_DB_HOST": "far"}
    environment(SERVER | SHARD | values | {"SHARD_EU_2_DB_PASSWORD_FILE": "{file}"})
    settings = load_settings()
    assert [shard.address for shard in settings.shards.values()] == [
        "postgresql://other:5432/triptych", "mysql://far:3306/triptych",
    ]  # fmt: skip
    assert settings.shards["eu-2"].db_password.get_secret_value() == SECRET
    assert SECRET not in repr(settings)
    environment(SERVER)
    assert load_settings().shards == {}


def test_alpha_has_the_known_login_and_others_have_none(environment):
    environment(SQLITE | {"ENVIRONMENT": "alpha"})
    assert load_settings().first_admin_password.get_secret_value() == "admin"
    environment(SQLITE)
    settings = load_settings()
    assert settings.environment == "production"
    assert settings.first_admin_password is None


def backend(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "PASSWORD_HASH_COST": "10", **environment}
    command = [sys.executable, "-m", "backend", *arguments]
    return subprocess.run(command, env=variables, cwd=cwd, capture_output=True, text=True, timeout=180, check=False)


def test_the_command_exits_with_2_and_one_line(tmp_path):
    key = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ec.pem").write_bytes(key)
    for values, words in (
        ({"FIRST_ADMIN_EMAIL": "admin@example.com", "FIRST_ADMIN_PASSWORD": "admin"}, "FIRST_ADMIN_PASSWORD"),
        ({"JWT_SIGNING_KEY_FILE": str(tmp_path / "ec.pem")}, "is not an Ed25519 private key"),
        ({}, "JWT_SIGNING_KEY_FILE: is required outside alpha"),
    ):
        result = backend("serve", cwd=tmp_path, DB_TYPE="sqlite", **values)
        assert result.returncode == 2, result.stderr
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_migrate_and_create_admin(tmp_path):
    result = backend("migrate", cwd=tmp_path, DB_TYPE="sqlite")
    assert result.returncode == 0, result.stderr
    assert "make one with: backend create-admin" in result.stderr
    (tmp_path / "password").write_text("a long enough password\n")
    arguments = ("create-admin", "--email", "Root@Example.com", "--password-file", str(tmp_path / "password"))
    assert backend(*arguments, "--tenant", "acme", cwd=tmp_path, DB_TYPE="sqlite").returncode == 0
    with closing(sqlite3.connect(tmp_path / "triptych.sqlite3")) as database:
        assert database.execute("SELECT email, tenant FROM users").fetchall() == [("root@example.com", "acme")]
    again = backend(*arguments, cwd=tmp_path, DB_TYPE="sqlite")
    assert again.returncode == 1
    assert again.stderr == "Error: Another user has this e-mail address.\n"
    wrong = backend(*arguments, "--tenant", "Not a tenant", cwd=tmp_path, DB_TYPE="sqlite")
    error = "Error: tenant: Must be 1 to 40 lower-case letters, digits or inner hyphens.\n"
    assert (wrong.returncode, wrong.stderr) == (1, error)
    blank = backend(*arguments, "--full-name", " ", cwd=tmp_path, DB_TYPE="sqlite")
    assert (blank.returncode, blank.stderr) == (1, "Error: full_name: Must have a visible character.\n")
    (tmp_path / "password").write_text("short")
    short = backend(*arguments, cwd=tmp_path, DB_TYPE="sqlite")
    assert (short.returncode, short.stderr) == (1, "Error: The password is too short.\n")


def documented(command: click.Command) -> Iterator[tuple[str, str | None]]:
    """Name and help of a command, its options, and those of its commands."""
    yield command.name, command.help
    yield from (
        (f"{command.name} {option.name}", option.help)
        for option in command.params
        if not isinstance(option, click.Argument)
    )
    for inner in getattr(command, "commands", {}).values():
        yield from documented(inner)


def test_every_command_and_option_has_help():
    assert [name for name, text in documented(cli) if not text] == []
