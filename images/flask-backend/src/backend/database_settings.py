"""Where a database is: the settings `DB_*` of the primary, and `SHARD_<NAME>_DB_*` of each shard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_PORTS = {"postgresql": 5432, "mysql": 3306}
_SHARD_NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")


class DatabaseSettings(BaseSettings):
    """One database server or file, by the lower-case names of its environment variables."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    db_type: Literal["postgresql", "mysql", "sqlite"] | None = None
    db_host: str = ""
    db_port: int | None = Field(None, ge=1, le=65535)
    db_name: str = "triptych"
    db_user: str = "triptych"
    db_password: SecretStr | None = None
    db_password_file: Path | None = None
    db_sslmode: Literal["disable", "prefer", "require", "verify-full"] = "prefer"
    db_ca_file: Path | None = None
    db_sqlite_path: Path = Path("triptych.sqlite3")
    db_pool_size: int = Field(32, ge=1, le=512)
    db_replica_host: str = ""
    db_replica_port: int | None = Field(None, ge=1, le=65535)

    @property
    def address(self) -> str:
        """Where it is, for people and to tell databases apart; without user and password."""
        if self.db_type == "sqlite":
            return f"sqlite:{self.db_sqlite_path.absolute()}"
        return f"{self.db_type}://{self.db_host}:{self.db_port}/{self.db_name}"

    @model_validator(mode="after")
    def _check_database(self) -> DatabaseSettings:
        read_secret_file(self, "db_password")
        _check(self)
        return self


def shard_settings(names: str) -> dict[str, DatabaseSettings]:
    """Settings of the shards `a,b`: of each the variables `SHARD_A_DB_TYPE`, `SHARD_A_DB_HOST`, …

    Raises:
        ValueError: a name or a setting is wrong; the text names the variable.
    """
    found = {}
    for name in (text.strip() for text in names.split(",") if text.strip()):
        if not _SHARD_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a shard: up to 20 lower-case letters, digits, inner hyphens")
        if name in found:
            raise ValueError(f"{name} is there twice")
        found[name] = _shard(f"SHARD_{name.upper().replace('-', '_')}_")
    return found


def _shard(prefix: str) -> DatabaseSettings:
    try:
        settings = DatabaseSettings(_env_prefix=prefix)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]).upper().removeprefix(prefix)
        text = f"{field}: {first['msg']}" if field else first["msg"].removeprefix("Value error, ")
        raise ValueError(re.sub(r"\bDB_", f"{prefix}DB_", text)) from None
    return settings


def read_file(variable: str, path: Path) -> bytes:
    """Content of a file that a variable names.

    Raises:
        ValueError: it cannot be read; the text names the variable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{variable}: cannot read {path} ({error.strerror})") from None


def read_secret_file(settings: BaseSettings, name: str) -> None:
    """Take a secret from the file that `<name>_file` names. Raises `ValueError`, which names the variable."""
    path = getattr(settings, f"{name}_file")
    if path is None:
        return
    variable = f"{name.upper()}_FILE"
    if getattr(settings, name) is not None:
        raise ValueError(f"{variable}: set either {name.upper()} or {variable}, not both")
    try:
        text = read_file(variable, path).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{variable}: {path} is not UTF-8 text") from None
    if not text:
        raise ValueError(f"{variable}: {path} is empty")
    setattr(settings, name, SecretStr(text))
    # Pydantic checks a shard's settings twice: alone, and as a part of the whole.
    setattr(settings, f"{name}_file", None)


def _check(settings: DatabaseSettings) -> None:
    if settings.db_type is None:
        raise ValueError("DB_TYPE: is required; set it to postgresql, mysql or sqlite")
    if settings.db_type == "sqlite":
        if settings.db_replica_host:
            raise ValueError("DB_REPLICA_HOST: SQLite has no replicas; leave it empty with DB_TYPE=sqlite")
        if not settings.db_sqlite_path.absolute().parent.is_dir():
            raise ValueError(f"DB_SQLITE_PATH: no directory {settings.db_sqlite_path.absolute().parent}")
        return
    if not settings.db_host:
        raise ValueError(f"DB_HOST: is required with DB_TYPE={settings.db_type}")
    for name in ("db_host", "db_replica_host"):
        if any(character in getattr(settings, name) for character in "/@: "):
            variable = name.upper()
            raise ValueError(f"{variable}: must be a host name or address; the port goes to {variable[:-4]}PORT")
    if settings.db_password is None:
        raise ValueError("DB_PASSWORD: set DB_PASSWORD or DB_PASSWORD_FILE")
    if settings.db_sslmode == "verify-full" and settings.db_ca_file is None:
        raise ValueError("DB_CA_FILE: is required with DB_SSLMODE=verify-full")
    if settings.db_ca_file is not None:
        read_file("DB_CA_FILE", settings.db_ca_file)
    settings.db_port = settings.db_port or DEFAULT_PORTS[settings.db_type]
    settings.db_replica_port = settings.db_replica_port or settings.db_port
