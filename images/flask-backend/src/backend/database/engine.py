"""From settings to one PyDAL object: addresses, driver options and tables."""

from __future__ import annotations

import ssl
from urllib.parse import quote

from pydal import DAL
from pymysql.constants import CLIENT

from backend.database import adapters  # noqa: F401  (registers the adapters)
from backend.database.tables import define_tables
from backend.database_settings import DatabaseSettings

POOL_SIZE = 32
STATEMENT_TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 3


def build_dal(
    settings: DatabaseSettings,
    statement_timeout: int = STATEMENT_TIMEOUT_SECONDS,
    writable: bool = True,
    connect_timeout: int = CONNECT_TIMEOUT_SECONDS,
) -> DAL:
    """One DAL for this process; call it after fork. Connects at first use, once per thread.

    Args:
        statement_timeout: seconds per statement; 0 for no limit (migrations).
        writable: refuse a PostgreSQL server that is a standby.
        connect_timeout: seconds.
    """
    uri, driver_args = _TARGETS[settings.db_type](settings, statement_timeout)
    if settings.db_type != "sqlite":
        driver_args["connect_timeout"] = connect_timeout
    if settings.db_type == "postgresql" and not writable:
        driver_args["target_session_attrs"] = "any"
    dal = DAL(
        uri,
        pool_size=POOL_SIZE,
        migrate_enabled=False,
        decode_credentials=True,
        driver_args=driver_args,
        attempts=1,
    )
    dal._adapter.built = True
    define_tables(dal)
    return dal


def _server_uri(scheme: str, settings: DatabaseSettings) -> str:
    password = quote(settings.db_password.get_secret_value(), safe="")
    user = quote(settings.db_user, safe="")
    return f"{scheme}://{user}:{password}@{settings.db_host}:{settings.db_port}/{settings.db_name}"


def _postgresql(settings: DatabaseSettings, statement_timeout: int) -> tuple[str, dict]:
    milliseconds = statement_timeout * 1000
    driver_args = {
        "tcp_user_timeout": 10000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "flask-backend",
        "target_session_attrs": "read-write",
        "client_encoding": "UTF8",
        "sslmode": settings.db_sslmode,
        "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout=60000"
        " -c timezone=UTC -c standard_conforming_strings=on",
    }
    if settings.db_ca_file:
        driver_args["sslrootcert"] = str(settings.db_ca_file)
    return _server_uri("pooledpostgres", settings), driver_args


def _mysql(settings: DatabaseSettings, statement_timeout: int) -> tuple[str, dict]:
    seconds = statement_timeout + 5 if statement_timeout else 3600
    driver_args = {"read_timeout": seconds, "write_timeout": seconds}
    # The number of an UPDATE's rows is of those it found, as on the other engines, and not of those it changed.
    driver_args["client_flag"] = CLIENT.FOUND_ROWS
    driver_args |= _mysql_tls(settings)
    return _server_uri("pooledmysql", settings) + "?set_encoding=utf8mb4", driver_args


def _mysql_tls(settings: DatabaseSettings) -> dict:
    if settings.db_sslmode == "disable":
        return {"ssl_disabled": True}
    if settings.db_sslmode == "prefer":
        return {}
    context = ssl.create_default_context(cafile=settings.db_ca_file)
    if settings.db_sslmode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if settings.db_ca_file else ssl.CERT_NONE
    return {"ssl": context}


def _sqlite(settings: DatabaseSettings, _statement_timeout: int) -> tuple[str, dict]:
    # isolation_level None: the adapter says BEGIN itself, the driver must not.
    return f"pooledsqlite://{settings.db_sqlite_path.absolute()}", {"timeout": 10, "isolation_level": None}


_TARGETS = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}
