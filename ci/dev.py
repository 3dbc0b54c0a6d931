#!/usr/bin/env python3
"""`make dev`: the three programs as processes with reload, on SQLite; `DB_TYPE=mysql` on a real MariaDB container."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from pathlib import Path

import images
import node_packages
import virtualenv
from common import BUILD, ROOT, VERSIONS, CiError, log, main_guard, python, tools_path
from engine import engine

STATE = BUILD / "dev"
WEBUI_PORT = int(os.environ.get("PORT") or 3000)
BACKEND_PORT = WEBUI_PORT + 1
GRPC_PORT = WEBUI_PORT + 2
GO_HTTP_PORT = WEBUI_PORT + 3
MARIADB_PORT = WEBUI_PORT + 4
MARIADB_CONTAINER = "triptych-dev-mariadb"


def mariadb() -> dict[str, str]:
    """Start (or keep) a MariaDB container with a volume of its own and return the backend's variables for it."""
    password_file = STATE / "mariadb-password"
    if not password_file.exists():
        password_file.write_text(secrets.token_urlsafe(24))
        password_file.chmod(0o600)
    settings = {"MARIADB_ROOT_PASSWORD": password_file.read_text(), "MARIADB_PASSWORD": password_file.read_text()}
    settings |= {"MARIADB_USER": "triptych", "MARIADB_DATABASE": "triptych"}
    if not engine().succeeds("container", "inspect", MARIADB_CONTAINER):
        images.build_all(["mariadb"])
        environment = [part for name in settings for part in ("--env", name)]
        engine().run(
            "run", "--detach", "--name", MARIADB_CONTAINER, "--publish", f"127.0.0.1:{MARIADB_PORT}:3306",
            "--volume", f"{MARIADB_CONTAINER}:/var/lib/mysql", *environment,
            f"localhost/triptych/mariadb:{VERSIONS['PLATFORM_VERSION']}", env=settings, quiet=True,
        )  # fmt: skip
    engine().run("start", MARIADB_CONTAINER, quiet=True)
    return {
        "DB_TYPE": "mysql", "DB_HOST": "127.0.0.1", "DB_PORT": str(MARIADB_PORT), "DB_NAME": "triptych",
        "DB_USER": "triptych", "DB_PASSWORD_FILE": str(password_file),
    }  # fmt: skip


def database() -> dict[str, str]:
    """Variables of the database that `DB_TYPE` names."""
    wanted = os.environ.get("DB_TYPE") or "sqlite"
    if wanted == "sqlite":
        return {"DB_TYPE": "sqlite", "DB_SQLITE_PATH": str(STATE / "triptych.sqlite")}
    if wanted == "mysql":
        return mariadb()
    raise CiError(f"DB_TYPE is {wanted!r}; make dev takes sqlite (default) or mysql")


def procfile() -> str:
    """One line a process, in honcho's format."""
    backend, go_backend, webui = (ROOT / "images" / name for name in ("flask-backend", "go-backend", "webui"))
    interpreter = virtualenv.ensure(backend / "requirements-dev.txt")
    settings = database() | {
        "ENVIRONMENT": "alpha", "PORT": str(BACKEND_PORT), "PYTHONPATH": str(backend / "src"),
        "GO_BACKEND_TARGET": f"127.0.0.1:{GRPC_PORT}",
        "FIRST_ADMIN_EMAIL": "admin@example.com", "FIRST_ADMIN_PASSWORD": "admin",
    }  # fmt: skip
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
    serve = f"{interpreter} -m backend"
    # Built and then run in the shell's place: `go run` would not pass on the signal that ends it.
    binary = STATE / "go-backend"
    go_serve = (
        f"go build -o {binary} ./cmd/go-backend && exec {binary} serve --interface lo --grpc-address 127.0.0.1:{GRPC_PORT}"
        f" --http-address 127.0.0.1:{GO_HTTP_PORT} --node-name {os.uname().nodename}"
    )
    watch = Path(python()).parent / "watchfiles"
    commands = {
        "flask-backend": f"cd {backend} && export {variables} && {serve} migrate && exec {serve} serve --reload",
        "go-backend": f"cd {go_backend} && go generate ./... && exec {watch} --filter all {shlex.quote(f'sh -c {shlex.quote(go_serve)}')} cmd internal",
        "webui": f"cd {webui} && PORT={WEBUI_PORT} BACKEND_URL=http://127.0.0.1:{BACKEND_PORT} ENVIRONMENT=alpha exec npm run dev",
    }
    return "".join(f"{name}: {command}\n" for name, command in commands.items())


def main() -> None:
    if not shutil.which("npm") or not shutil.which("go"):
        raise CiError("make dev needs Go and Node.js on this machine; run: make tools")
    STATE.mkdir(parents=True, exist_ok=True)
    (STATE / "Procfile").write_text(procfile())
    node_packages.ensure()
    log(f"web UI at http://localhost:{WEBUI_PORT} (admin@example.com / admin); Ctrl-C ends all three")
    os.execve(
        python(), [str(python()), "-m", "honcho", "start", "--procfile", str(STATE / "Procfile")],
        os.environ | tools_path(),
    )  # fmt: skip


if __name__ == "__main__":
    main_guard(main)
