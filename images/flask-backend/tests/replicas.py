"""Replicas of the test servers, each in the network of its primary's container."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Self

from servers import MARIADB, MYSQL, POSTGRESQL, ServerContainer

from engine import engine


@dataclass(frozen=True)
class Replication:
    """How one engine replicates; statements run on the replica unless said otherwise.

    Attributes:
        primary_arguments: of the primary server.
        start: shell command of the replica's container, which knows the primary's password as `$PASSWORD`.
        client: command of a client in the replica's container; the statement comes last.
        on_primary: statements that prepare the primary.
        follow: statement that lets the replica follow.
        pause, resume: the same for a while not.
        server: asks for the port of the server that answers.
    """

    recipe: object
    primary_arguments: tuple[str, ...]
    start: str
    client: tuple[str, ...]
    pause: str
    resume: str
    server: str
    on_primary: tuple[str, ...] = ()
    follow: str = ""


_PG_START = (
    'PGPASSWORD="$PASSWORD" pg_basebackup --host=127.0.0.1 --username=triptych --pgdata="$PGDATA"'
    " --write-recovery-conf --checkpoint=fast --wal-method=stream; exec postgres -p 5433 -c listen_addresses='*' -c unix_socket_directories=/tmp"
)
_MARIADB = ("mariadb", "--user=root", "--batch", "--skip-column-names", "--execute")
_MYSQL = ("mysql", "--socket=/tmp/mysql.sock", "--user=root", "--batch", "--skip-column-names", "--execute")
_GRANT = "GRANT REPLICATION SLAVE ON *.* TO triptych@'%'"
REPLICATIONS = {
    "postgresql": Replication(
        POSTGRESQL,
        (),
        _PG_START,
        ("psql", "--host=/tmp", "--port=5433", "--username=triptych", "--no-psqlrc", "--command"),
        "SELECT pg_wal_replay_pause()",
        "SELECT pg_wal_replay_resume()",
        "SELECT inet_server_port()",
    ),
    "mariadb": Replication(
        MARIADB,
        ("--log-bin", "--server-id=1"),
        "exec entrypoint mariadbd --port=3307 --server-id=2",
        _MARIADB,
        "STOP SLAVE SQL_THREAD",
        "START SLAVE SQL_THREAD",
        "SELECT @@port",
        (_GRANT,),
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_USER='triptych', MASTER_PASSWORD='{password}',"
        " MASTER_USE_GTID=slave_pos; START SLAVE",
    ),
    "mysql": Replication(
        MYSQL,
        ("--server-id=1", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"),
        "exec entrypoint mysqld --port=3307 --server-id=2 --gtid-mode=ON --enforce-gtid-consistency=ON",
        _MYSQL,
        "STOP REPLICA SQL_THREAD",
        "START REPLICA SQL_THREAD",
        "SELECT @@port",
        (_GRANT,),
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_USER='triptych', SOURCE_PASSWORD='{password}',"
        " SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA",
    ),
}


class ReplicaContainer:
    """A replica that follows `primary`, which has to publish its port."""

    def __init__(self, primary: ServerContainer, replication: Replication):
        self.primary, self._replication = primary, replication
        self.name = f"flask-backend-test-replica-{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        recipe = self.primary.recipe
        values = {name: value.format(password=self.primary.password) for name, value in recipe.environment.items()}
        values["PASSWORD"] = self.primary.password
        environment = [part for name in values for part in ("--env", name)]
        engine().run(
            "run", "--detach", "--name", self.name, "--network", f"container:{self.primary.name}", "--memory", "2g",
            *environment, "--entrypoint", "bash", recipe.reference, "-c", self._replication.start,
            env=values, quiet=True,
        )  # fmt: skip
        try:
            self._follow()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        engine().run("rm", "--force", "--volumes", self.name, quiet=True)

    def _follow(self) -> None:
        for statement in self._replication.on_primary:
            self._client(self.primary.name, statement)
        self._wait()
        if self._replication.follow:
            self.execute(self._replication.follow.format(password=self.primary.password))

    def pause(self) -> None:
        """Apply nothing any more."""
        self.execute(self._replication.pause)

    def resume(self) -> None:
        self.execute(self._replication.resume)

    def stop(self) -> None:
        engine().run("kill", "--signal", "KILL", self.name, quiet=True)
        engine().run("wait", self.name, quiet=True)

    def start(self) -> None:
        engine().run("start", self.name, quiet=True)
        self._wait()

    def execute(self, statement: str) -> None:
        self._client(self.name, statement)

    def _client(self, container: str, statement: str) -> None:
        # Root of MariaDB and MySQL has the same password; a client that needs none ignores the variable.
        engine().run(
            "exec", "--env", "MYSQL_PWD", container, *self._replication.client, statement,
            env={"MYSQL_PWD": self.primary.password}, quiet=True,
        )  # fmt: skip

    def _wait(self, timeout: float = 240) -> None:
        end = time.monotonic() + timeout
        command = ("exec", "--env", f"MYSQL_PWD={self.primary.password}", self.name, *self._replication.client)
        while not engine().succeeds(*command, "SELECT 1"):
            assert time.monotonic() < end, f"{self.name} does not answer after {timeout} s"
            time.sleep(0.5)
