"""What differs between the three data images, so that one test serves all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

PASSWORD = "p\"a's\\s $w`o%rd"  # every character that a shell, SQL or a configuration file could trip over


@dataclass(frozen=True)
class Server:
    """One data image.

    Attributes:
        image: its name.
        data: where its volume is mounted.
        variable: of the administrator's password.
        process: name of the server's process.
        client: command and environment of a client over TCP, from a password; it reads queries from stdin.
        write: query that keeps a value.
        count: query that counts the kept values, and says nothing else.
        scripts: files for /docker-entrypoint-initdb.d that keep one value each.
        init: query after which `write` works.
        leftover: what an unfinished initialisation leaves in the volume.
    """

    image: str
    data: str
    variable: str
    process: str
    client: Callable[[str], tuple[list[str], dict[str, str]]]
    write: str
    count: str
    init: str = ""
    scripts: dict[str, str] = field(default_factory=dict)
    leftover: str = ""
    password: str = PASSWORD

    @property
    def environment(self) -> dict[str, str]:
        return {self.variable: self.password}


def _psql(password: str) -> tuple[list[str], dict[str, str]]:
    options = ["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set", "ON_ERROR_STOP=1"]
    return ["psql", *options, "--host=127.0.0.1", "--username=postgres"], {"PGPASSWORD": password}


def _mariadb(password: str) -> tuple[list[str], dict[str, str]]:
    options = ["--skip-column-names", "--batch", "--user=root"]  # root is let in by the socket only
    return ["mariadb", *options], {"MYSQL_PWD": password}


def _valkey(password: str) -> tuple[list[str], dict[str, str]]:
    # As arguments, because -e (a refused command is an error) has no effect on commands from stdin.
    return ["bash", "-c", "valkey-cli -e -h 127.0.0.1 $(cat)"], {"REDISCLI_AUTH": password}


POSTGRESQL = Server(
    image="postgresql",
    data="/var/lib/postgresql/data",
    variable="POSTGRES_PASSWORD",
    process="postgres",
    client=_psql,
    init="CREATE TABLE kept (value integer);",
    write="INSERT INTO kept VALUES (1);",
    count="SELECT count(*) FROM kept;",
    scripts={
        "1.sh": 'psql --username "$POSTGRES_USER" -v ON_ERROR_STOP=1 <<< "CREATE TABLE kept (value integer);"',
        "2.sql": "INSERT INTO kept VALUES (1);",
        "3.sql.gz": "INSERT INTO kept VALUES (1);",
    },
    leftover="pgdata.unfinished",
)
MARIADB = Server(
    image="mariadb",
    data="/var/lib/mysql",
    variable="MARIADB_ROOT_PASSWORD",
    process="mariadbd",
    client=_mariadb,
    init="CREATE DATABASE kept; CREATE TABLE kept.kept (value integer);",
    write="INSERT INTO kept.kept VALUES (1);",
    count="SELECT count(*) FROM kept.kept;",
    scripts={
        "1.sh": 'mariadb -uroot -p"$MARIADB_ROOT_PASSWORD" -e "CREATE DATABASE kept; CREATE TABLE kept.kept (v int);"',
        "2.sql": "INSERT INTO kept.kept VALUES (1);",
        "3.sql.gz": "INSERT INTO kept.kept VALUES (1);",
    },
    leftover=".unfinished",
)
REDIS = Server(
    image="redis",
    data="/data",
    variable="REDIS_PASSWORD",
    process="valkey-server",
    client=_valkey,
    write="RPUSH kept 1",
    count="LLEN kept",
)
SERVERS = [POSTGRESQL, MARIADB, REDIS]
