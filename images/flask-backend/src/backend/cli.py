"""The command `backend`. Exit codes: 0 done, 1 failed, 2 wrong usage or setting."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path

import click

from backend import cli_data, cli_shards
from backend.cli_support import load as _settings
from backend.cli_support import progress as _progress

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
@click.version_option(os.environ.get("TRIPTYCH_VERSION", "0.1.0"), prog_name="backend")
def cli() -> None:
    """The REST API of the Triptych platform."""


cli.add_command(cli_data.export_command)
cli.add_command(cli_data.import_command)
cli.add_command(cli_data.doctor_command)
cli.add_command(cli_shards.shards_command)


def main() -> None:
    """Entry point. Imports happen inside the commands, so that the health command starts in no time."""
    cli(prog_name="backend")


@cli.command()
@click.option("--address", default="0.0.0.0", show_default=True, help="Address to listen at.")
@click.option("--migrate", "migrate_first", is_flag=True, help="Run `backend migrate` before.")
@click.option("--reload", is_flag=True, help="Restart when the source changes (needs watchfiles).")
def serve(address: str, migrate_first: bool, reload: bool) -> None:
    """Serve the API on PORT."""
    from backend.auth.keys import check_keys
    from backend.server import serve as run_server

    settings = _settings()
    check_keys(settings)
    if migrate_first:
        _migrate(settings, 60)
    run_server(settings, address, reload)


@cli.command()
@click.option("--address", default="0.0.0.0", show_default=True, help="Address of health and metrics, at PORT.")
def worker(address: str) -> None:
    """Run background jobs, schedules and the platform's loops (with BACKGROUND=external for the servers)."""
    from backend.jobs.worker import run_worker

    run_worker(_settings(), address)


@cli.command()
@click.option("--timeout", default=300, show_default=True, help="Seconds to wait for the database.")
@click.option("--to", "target", type=click.IntRange(min=0), metavar="N", help="Go to schema version N, up or back.")
@click.option("--down", is_flag=True, help="Take the newest migration back.")
@click.option("--yes", is_flag=True, help="Do not ask before going back, which drops what the migrations made.")
def migrate(timeout: int, target: int | None, down: bool, yes: bool) -> None:
    """Wait for the database, update its schema, create the first admin.

    Safe to run in several processes at once. Going back loses the data in what newer migrations added: first
    roll the pods back, then the schema, with the image of the newer release.
    """
    if down and target is not None:
        raise click.UsageError("give --to or --down, not both")
    if (down or target is not None) and not yes:
        click.confirm("Going back drops what newer migrations made. Go on?", abort=True, err=True)
    _migrate(_settings(), timeout, target, down)


def _migrate(settings, timeout: int, target: int | None = None, down: bool = False) -> None:
    from backend.database.migrate import MigrationError, step_down
    from backend.database.migrate import migrate as run_migrations
    from backend.shards.membership import migrate_shards
    from backend.users.first_admin import create_first_admin

    try:
        if down:
            target = step_down(settings, timeout, _progress)
        else:
            run_migrations(settings, timeout, _progress, target)
        if not down and target is None:
            create_first_admin(settings, _progress)
        # Last: a shard that is away must not keep the primary, and so logins, from this release.
        migrate_shards(settings, timeout, _progress, target)
    except MigrationError as error:
        raise click.ClickException(str(error)) from None


@cli.command("create-admin")
@click.option("--email", required=True, help="The admin signs in with it.")
@click.option("--full-name", default="Administrator", show_default=True, help="Shown in the web UI.")
@click.option("--tenant", default="default", show_default=True, help="Decides where their events are stored.")
@click.option("--password-file", type=click.File(), help="Read the password here (- is stdin), no prompt.")
def create_admin(email: str, full_name: str, tenant: str, password_file) -> None:
    """Create an active admin."""
    from backend.users.first_admin import create_admin as create

    settings = _settings()
    if password_file:
        password = password_file.read().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    create(settings, email, full_name, tenant, password)
    _progress(f"created the admin {email}")


@cli.command()
def healthcheck() -> None:
    """Exit 0 when the server on PORT lives."""
    url = f"http://127.0.0.1:{os.environ.get('PORT') or 5000}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            healthy = json.load(answer).get("status") == "ok"
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{url}: {error}") from None
    if not healthy:
        raise click.ClickException(f"{url}: not ok")


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document of the REST API."""
    from backend.app import create_app

    (api,) = create_app(_settings()).extensions["flask-smorest"]["apis"].values()
    click.echo(json.dumps(api["ext_obj"].spec.to_dict()))


@cli.command("bootstrap-secrets")
@click.option(
    "--file",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A list of Secrets: docs/developers/contracts.md tells its form.",
)
@click.option("--timeout", default=120, show_default=True, help="Seconds to try while the API is away.")
def bootstrap_secrets(path: Path, timeout: int) -> None:
    """Create the Kubernetes Secrets of a JSON file that do not exist yet."""
    from backend.logs import configure_logging
    from backend.secrets_bootstrap.service import BootstrapError, bootstrap

    configure_logging("warning")
    try:
        bootstrap(path, timeout, _progress)
    except BootstrapError as error:
        raise click.ClickException(str(error)) from None


@cli.command("rotate-keys")
@click.option("--directory", type=click.Path(exists=True, file_okay=False, path_type=Path), help="With signing.pem.")
@click.option("--secret", help="Kubernetes Secret with signing.pem, by the current kubeconfig.")
@click.option("--namespace", help="Of the Secret; default: the current one.")
@click.option("--wait", is_flag=True, help="Take all steps, with the pauses between them (15 minutes).")
@click.option("--now", is_flag=True, help="Take all steps without pauses: for a key that leaked.")
def rotate_keys(directory: Path | None, secret: str | None, namespace: str | None, wait: bool, now: bool) -> None:
    """Take the next step of a change of the signing key, if it is due: prepare, promote, retire."""
    from backend.auth.rotation import DirectoryStore, RotationError, SecretStore, rotate

    if bool(directory) == bool(secret):
        raise click.UsageError("give either --directory or --secret")
    if wait and now:
        raise click.UsageError("give either --wait or --now")
    try:
        store = DirectoryStore(directory) if directory else SecretStore(secret, namespace)
        rotate(store, wait, _progress, now)
    except RotationError as error:
        raise click.ClickException(str(error)) from None


@cli.command()
@click.option("--url", envvar="BACKEND_URL", required=True, help="Of the WebUI or of the backend itself.")
@click.option(
    "--email", default="admin@example.com", show_default=True, envvar="FIRST_ADMIN_EMAIL", help="Whom to log in."
)
@click.option("--password", envvar="FIRST_ADMIN_PASSWORD", help="Better: --password-file.")
@click.option("--password-file", type=click.File(), envvar="FIRST_ADMIN_PASSWORD_FILE", help="Their password.")
@click.option("--expect-fast-path", is_flag=True, help="Fail unless the status says that the fast path runs.")
@click.option(
    "--go-backend",
    metavar="HOST:PORT",
    envvar="GO_BACKEND_TARGET",
    help="Also ask its grpc.health.v1; implies --expect-fast-path.",
)
@click.option(
    "--password-may-have-changed",
    is_flag=True,
    help="The first admin's initial password: when it is no longer good, check what needs no login.",
)
@click.option("--go-backend-ca", type=_FILE, envvar="GO_BACKEND_TLS_CA_FILE", help="Ask it over TLS.")
@click.option("--go-backend-cert", type=_FILE, envvar="GO_BACKEND_TLS_CERT_FILE", help="Shown to it.")
@click.option("--go-backend-key", type=_FILE, envvar="GO_BACKEND_TLS_KEY_FILE", help="Of that certificate.")
@click.option("--timeout", default=60, show_default=True, help="Seconds to try until all is healthy.")
def smoke(
    url,
    email,
    password,
    password_file,
    expect_fast_path,
    go_backend,
    go_backend_ca,
    go_backend_cert,
    go_backend_key,
    password_may_have_changed,
    timeout,
) -> None:
    """Log in, write and read through the API, check every component."""
    from backend.grpc_calls import Tls
    from backend.smoke import SmokeError, smoke_test

    if password_file:
        password = password_file.read().rstrip("\r\n")
    if not password:
        raise click.UsageError("give --password-file or --password")
    tls = Tls(go_backend_ca, go_backend_cert, go_backend_key) if go_backend_ca else None
    fast_path = expect_fast_path or bool(go_backend)
    try:
        smoke_test(
            url, email, password, fast_path, go_backend or "", tls, timeout, _progress, password_may_have_changed
        )
    except SmokeError as error:
        raise click.ClickException(str(error)) from None
