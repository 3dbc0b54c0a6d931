"""Database servers in containers: started on a free port, killed and started again by the tests."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Self

from ports import free_port

import images
from common import VERSIONS
from engine import engine


@dataclass(frozen=True)
class Recipe:
    """How a server is started; `{password}` in a value stands for a random one."""

    image: str
    db_type: str
    container_port: int
    environment: dict = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"localhost/triptych/{self.image}:{VERSIONS['PLATFORM_VERSION']}"

    @property
    def replica_port(self) -> int:
        """Port of a replica in the network of its primary's container."""
        return self.container_port + 1


POSTGRESQL = Recipe(
    "postgresql",
    "postgresql",
    5432,
    {"POSTGRES_USER": "triptych", "POSTGRES_DB": "triptych", "POSTGRES_PASSWORD": "{password}"},
)
MARIADB = Recipe(
    "mariadb",
    "mysql",
    3306,
    {
        "MARIADB_USER": "triptych",
        "MARIADB_DATABASE": "triptych",
        "MARIADB_PASSWORD": "{password}",
        "MARIADB_ROOT_PASSWORD": "{password}",
    },
)
MYSQL = Recipe(
    "mysql",
    "mysql",
    3306,
    {
        "MYSQL_USER": "triptych",
        "MYSQL_DATABASE": "triptych",
        "MYSQL_PASSWORD": "{password}",
        "MYSQL_ROOT_PASSWORD": "{password}",
    },
)
DATABASES = (POSTGRESQL, MARIADB, MYSQL)
REDIS = Recipe("redis", "", 6379, {"REDIS_PASSWORD": "{password}"})


class ServerContainer:
    """A server with a name of its own; removed with its data at the end. Its image is built when its content changed.

    Args:
        arguments: of the server.
        replica: publish the port of a `ReplicaContainer`, too.
    """

    def __init__(self, recipe: Recipe, arguments: tuple[str, ...] = (), replica: bool = False):
        self.recipe = recipe
        self._arguments, self._replica = arguments, replica
        # Characters that need quoting in a URL, on purpose.
        self.password = f"p@ss/w:rd%{secrets.token_hex(8)}"
        self.port, self.replica_port = free_port(), free_port()
        self.name = f"flask-backend-test-{recipe.image}-{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        images.build_all([self.recipe.image])
        values = {name: value.format(password=self.password) for name, value in self.recipe.environment.items()}
        environment = [part for name in values for part in ("--env", name)]
        engine().run(
            # A server that runs away ends its container, not the machine.
            "run", "--detach", "--name", self.name, "--memory", "2g", *environment,
            "--publish", f"127.0.0.1:{self.port}:{self.recipe.container_port}",
            *self._replica_publication, self.recipe.reference, *self._arguments, env=values, quiet=True,
        )  # fmt: skip
        try:
            self.wait_healthy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        engine().run("rm", "--force", "--volumes", self.name, quiet=True)

    @property
    def _replica_publication(self) -> list[str]:
        return ["--publish", f"127.0.0.1:{self.replica_port}:{self.recipe.replica_port}"] if self._replica else []

    @property
    def settings(self) -> dict:
        """Settings of a backend that uses this server."""
        return {
            "db_type": self.recipe.db_type,
            "db_host": "127.0.0.1",
            "db_port": self.port,
            "db_name": "triptych",
            "db_user": "triptych",
            "db_password": self.password,
        }

    def wait_healthy(self, timeout: float = 240) -> None:
        """Return when the image's own health command is content; fail after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not engine().succeeds("exec", self.name, "healthcheck"):
            assert time.monotonic() < end, f"{self.name} is not healthy after {timeout} s"
            time.sleep(0.5)

    def as_root(self, statement: str) -> None:
        """Run SQL as the administrator of a MariaDB or MySQL server."""
        command = {"mariadb": ("mariadb",), "mysql": ("mysql", "--socket=/tmp/mysql.sock")}[self.recipe.image]
        engine().run(
            "exec", "--env", "MYSQL_PWD", self.name, *command, "--user=root", "--execute", statement,
            env={"MYSQL_PWD": self.password}, quiet=True,
        )  # fmt: skip

    def kill(self) -> None:
        """End every process of the server with SIGKILL."""
        engine().run("kill", "--signal", "KILL", self.name, quiet=True)
        engine().run("wait", self.name, quiet=True)

    def start(self) -> None:
        """Start the killed server again on the same data and port."""
        engine().run("start", self.name, quiet=True)

    def stop(self) -> None:
        """Stop the server in order."""
        engine().run("stop", "--time", "20", self.name, quiet=True)
