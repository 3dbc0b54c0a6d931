"""Containers as Kubernetes runs them: read-only root file system, no capability, a numeric user."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from dataclasses import dataclass

from servers import Server

from engine import engine

PATIENCE = 240  # seconds for a start, on a busy machine


def call(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    """Run the engine and return what came of it, failed or not; stdout and stderr are text."""
    environment = os.environ | engine().env
    command = [engine().path, *arguments]
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True, **options)


def must(*arguments: str) -> str:
    """Standard output of an engine call that has to succeed."""
    result = call(*arguments)
    assert result.returncode == 0, f"{' '.join(arguments)}: {result.stderr}"
    return result.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A container that has been started once."""

    id: str
    server: Server

    def run(self, *command: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the container."""
        variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        return call("exec", "--interactive", *variables, self.id, *command, input=stdin)

    def query(self, text: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
        """Send a query over TCP as the administrator, with the right password unless another is given."""
        command, variables = self.server.client(self.server.password if password is None else password)
        return self.run(*command, stdin=text, **variables)

    def ask(self, text: str) -> str:
        """Answer to a query that has to succeed."""
        result = self.query(text)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    @property
    def healthy(self) -> bool:
        return self.run("healthcheck").returncode == 0

    def wait_healthy(self) -> None:
        self.wait_until(lambda: self.healthy, "healthy")

    def wait_for_log(self, text: str) -> None:
        self.wait_until(lambda: text in self.log, f"logging {text!r}")

    def wait_until(self, condition, description: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.running, f"the container ended:\n{self.log}"
            assert time.monotonic() < deadline, f"not {description} in {PATIENCE} s:\n{self.log}"
            time.sleep(0.2)

    def wait_exit(self) -> int:
        """Exit code of a container that ends by itself."""
        return int(must("wait", self.id))

    @property
    def running(self) -> bool:
        return must("inspect", "--format", "{{.State.Running}}", self.id) == "true"

    @property
    def log(self) -> str:
        result = call("logs", self.id)
        return result.stdout + result.stderr

    def kill(self) -> None:
        """End every process of the container at once, as `kill -9` does."""
        must("kill", "--signal", "KILL", self.id)
        self.wait_exit()

    def stop(self) -> int:
        """Ask the container to end, as Kubernetes does; exit code."""
        must("stop", "--time", "60", self.id)
        return self.wait_exit()

    def start(self) -> None:
        must("start", self.id)


class Containers:
    """Starts containers of the data images; removes its containers and volumes at the end of a with block."""

    def __init__(self, references: dict[str, str]) -> None:
        self.references = references
        self.started: list[str] = []
        self.volumes: list[str] = []

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        for container in self.started:
            must("rm", "--force", "--volumes", container)
        for volume in self.volumes:
            must("volume", "rm", volume)

    def volume(self) -> str:
        name = f"triptych-image-test-{uuid.uuid4().hex[:12]}"
        self.volumes.append(must("volume", "create", name))
        return name

    def prepare(self, server: Server, volume: str, script: str) -> None:
        """Run a shell script as root in the root folder of a volume."""
        mount = f"{volume}:{server.data}"
        command = ("--user", "0", "--workdir", server.data, "--entrypoint", "sh", self.references[server.image])
        must("run", "--rm", "--volume", mount, *command, "-ec", script)

    def run(
        self,
        server: Server,
        volume: str = "",
        environment: dict[str, str] | None = None,
        mounts: dict[str, str] | None = None,
        user: str = "10001",
        options: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
    ) -> Container:
        """Start a server.

        Args:
            server: what to start.
            volume: for its data; a fresh one by default.
            environment: default: the server's own, with its password.
            mounts: read-only, path in the container by path on the host.
            user: `uid` or `uid:gid`.
            options: of the engine.
            arguments: of the server.
        """
        confinement = ["--read-only", "--tmpfs", "/tmp:mode=1777", "--cap-drop", "ALL", "--user", user]
        # A server that runs away ends its container, not the machine.
        confinement += ["--security-opt", "no-new-privileges", "--memory", "2g"]
        if engine().name == "podman":
            confinement.append("--read-only-tmpfs=false")  # it would make more places writable than Kubernetes does
        variables = server.environment if environment is None else environment
        options += tuple(part for name, value in variables.items() for part in ("--env", f"{name}={value}"))
        options += tuple(part for host, path in (mounts or {}).items() for part in ("--volume", f"{host}:{path}:ro"))
        options += ("--volume", f"{volume or self.volume()}:{server.data}")
        identity = must("run", "--detach", *confinement, *options, self.references[server.image], *arguments)
        self.started.append(identity)
        return Container(identity, server)
