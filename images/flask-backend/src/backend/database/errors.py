"""What a driver's exception means: retry, give up for now, or a fault of the program."""

from __future__ import annotations

import sqlite3

import psycopg2
import pymysql

# Rolled back by the server for certain: safe to repeat even when COMMIT itself failed.
_PG_ROLLED_BACK = {"40001", "40P01"}
_MYSQL_ROLLED_BACK = {1213, 1205}
# The connection or the server is going or gone, or is a read-only standby.
_PG_LOST = {"57P01", "57P02", "57P03", "57P05", "25006", "25P03"}
_MYSQL_LOST = {0, 1047, 1053, 1158, 1159, 1160, 1161, 1290, 1836, 1927, 2006, 2013, 2014, 2055, 4031}
# It answers but has no room, or the statement ran into its time limit: not worth a repeat.
_PG_BUSY = {"53300", "53400", "57014", "55P03", "53100", "53200", "3D000", "28P01"}
_MYSQL_BUSY = {1040, 1041, 1044, 1045, 1049, 1203, 1226, 1969, 3024, 1021, 2002, 2003, 2005}


class DatabaseUnavailable(Exception):
    """The database did not acknowledge the transaction; the text is safe to log."""


class UnknownOutcome(DatabaseUnavailable):
    """The connection was lost during COMMIT: the transaction may or may not have happened."""


def rolled_back(error: BaseException) -> bool:
    """Whether the server certainly undid the transaction, so that repeating it is safe."""
    if isinstance(error, psycopg2.Error):
        return error.pgcode in _PG_ROLLED_BACK
    if isinstance(error, pymysql.MySQLError):
        return _mysql_code(error) in _MYSQL_ROLLED_BACK
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def connection_lost(error: BaseException) -> bool:
    """Whether the connection is unusable and a new one may work."""
    if isinstance(error, psycopg2.Error):
        code = error.pgcode
        if code is None:
            return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
        return code in _PG_LOST or code.startswith("08")
    if isinstance(error, pymysql.MySQLError):
        return _mysql_code(error) in _MYSQL_LOST
    return False


def repeatable(error: BaseException) -> bool:
    """Whether running the same transaction again may succeed, and cannot make it happen twice."""
    return rolled_back(error) or connection_lost(error)


def unavailable(error: BaseException) -> bool:
    """Whether the fault is the database's state and not the program's statement."""
    if rolled_back(error) or connection_lost(error) or missing_table(error):
        return True
    if isinstance(error, psycopg2.Error):
        return error.pgcode in _PG_BUSY
    if isinstance(error, pymysql.MySQLError):
        return _mysql_code(error) in _MYSQL_BUSY
    return isinstance(error, sqlite3.OperationalError) and any(
        words in str(error) for words in ("unable to open", "disk", "busy", "readonly")
    )


def duplicate_key(error: BaseException) -> bool:
    """Whether a unique constraint refused the row."""
    if isinstance(error, psycopg2.Error):
        return error.pgcode == "23505"
    if isinstance(error, pymysql.MySQLError):
        return _mysql_code(error) == 1062
    return isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error)


def lock_timeout(error: BaseException) -> bool:
    """Whether another transaction held a row for longer than this one would wait."""
    if isinstance(error, psycopg2.Error):
        return error.pgcode == "55P03"
    return isinstance(error, pymysql.MySQLError) and _mysql_code(error) == 1205


def missing_table(error: BaseException) -> bool:
    """Whether a table does not exist (yet)."""
    if isinstance(error, psycopg2.Error):
        return error.pgcode == "42P01"
    if isinstance(error, pymysql.MySQLError):
        return _mysql_code(error) == 1146
    return isinstance(error, sqlite3.OperationalError) and "no such table" in str(error)


def of_driver(error: BaseException) -> bool:
    """Whether a driver raised it: the server refused a statement or could not be reached."""
    return isinstance(error, psycopg2.Error | pymysql.MySQLError | sqlite3.Error)


def summary(error: BaseException) -> str:
    """One line about a driver's error, without its statement."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _mysql_code(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else -1
