"""The three data images, each in real containers confined as in Kubernetes."""

from __future__ import annotations

import gzip
import re
import time
from pathlib import Path

import pytest
from containers import Container, must
from servers import PASSWORD, SERVERS, Server

SCRIPTS = "/docker-entrypoint-initdb.d"
DELAYS = [0.5, 2.0]  # seconds into an initialisation at which it is killed


def write_scripts(folder: Path, server: Server, **more: str) -> dict[str, str]:
    """Put a server's scripts, and more of them, into a folder; returns its mount."""
    for name, text in (server.scripts | more).items():
        path = folder / name
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        path.chmod(0o644)
    folder.chmod(0o755)
    return {str(folder): SCRIPTS}


def refusal(container: Container) -> str:
    """The only line that a container printed before it ended with an error."""
    assert container.wait_exit() != 0
    lines = container.log.splitlines()
    assert len(lines) == 1, container.log
    return lines[0]


def fill(container: Container) -> None:
    """Keep one value."""
    container.wait_healthy()
    container.ask(container.server.init + container.server.write)


def signal_server(container: Container, signal: str) -> None:
    """Send a signal to the main process of the server, which is the oldest of its name."""
    script = f"for p in /proc/[0-9]*; do [[ $(<$p/comm) != {container.server.process} ]] || echo ${{p#/proc/}}; done"
    processes = container.run("bash", "-c", script).stdout.split()
    result = container.run("bash", "-c", f"kill -{signal} {min(processes, key=int)}")
    assert result.returncode == 0, result.stderr


def test_runs_confined(running):
    status = running.run("cat", "/proc/1/status").stdout
    assert re.search(r"^Uid:\t10001\t", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert running.run("touch", "/etc/written").returncode != 0


def test_image_is_described_and_has_no_downloader(running, references):
    reference = references[running.server.image]
    labels = must("image", "inspect", "--format", "{{json .Config.Labels}}", reference)
    for key in ("title", "description", "version", "licenses", "source"):
        assert re.search(rf'"org\.opencontainers\.image\.{key}":"[^"]+"', labels)
    user = must("image", "inspect", "--format", "{{.Config.User}}", reference)
    assert user.split(":")[0] == "10001"
    assert running.run("sh", "-c", "command -v curl wget").stdout == ""


def test_password_is_required(running):
    assert running.query(running.server.count, password="wrong").returncode != 0
    assert running.query(running.server.count, password="").returncode != 0


def test_password_shows_in_no_process(running):
    commands = running.run("sh", "-c", "cat /proc/[0-9]*/cmdline").stdout
    assert running.server.process in commands
    assert PASSWORD not in commands


def test_health_follows_the_server(containers, server):
    container = containers.run(server)
    container.wait_healthy()
    signal_server(container, "STOP")
    assert not container.healthy
    signal_server(container, "CONT")
    container.wait_healthy()


def test_data_survives_kill_and_stop(containers, server):
    container = containers.run(server)
    fill(container)
    # Redis writes its file every second; what is in the operating system survives a kill of the process.
    time.sleep(1.5 if server.image == "redis" else 0)
    container.kill()
    container.start()
    container.wait_healthy()
    container.ask(server.write)
    assert container.stop() == 0
    container.start()
    container.wait_healthy()
    assert container.ask(server.count) == "2"


def test_password_from_file(containers, server, tmp_path):
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    tmp_path.chmod(0o755)
    variables = {f"{server.variable}_FILE": "/run/secrets/triptych/password"}
    container = containers.run(server, environment=variables, mounts={str(tmp_path): "/run/secrets/triptych"})
    fill(container)
    assert container.query(server.count, password="wrong").returncode != 0


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({}, "set {0} or {0}_FILE"),
        ({"{0}": ""}, "set {0} or {0}_FILE"),
        ({"{0}_FILE": "/absent"}, "cannot read /absent, named by {0}_FILE"),
        ({"{0}": "one", "{0}_FILE": "/etc/hostname"}, "set {0} or {0}_FILE, not both"),
    ],
    ids=["none", "empty", "no file", "both"],
)
def test_without_password_says_so_in_one_line(containers, server, variables, complaint):
    variables = {name.format(server.variable): value for name, value in variables.items()}
    container = containers.run(server, environment=variables)
    assert complaint.format(server.variable) in refusal(container)


@pytest.mark.parametrize("group", ["root", "fsGroup"])
def test_any_user_id(containers, server, group):
    volume = containers.volume()
    if group == "root":
        container = containers.run(server, volume, user="54321:0")
    else:
        containers.prepare(server, volume, "chown 0:4321 . && chmod 2775 .")
        container = containers.run(server, volume, user="54321:54321", options=("--group-add", "4321"))
    fill(container)
    container.kill()
    container.start()
    container.wait_healthy()
    assert container.ask(server.count) == "1"


def test_volume_that_is_not_writable(containers, server):
    volume = containers.volume()
    containers.prepare(server, volume, "chown 0:0 . && chmod 0755 .")
    assert "not writable by uid 10001" in refusal(containers.run(server, volume))


def test_second_server_on_the_same_volume_is_refused(containers, server):
    volume = containers.volume()
    first = containers.run(server, volume)
    fill(first)
    assert "another container uses the volume" in refusal(containers.run(server, volume))
    assert first.ask(server.count) == "1"


def test_scripts_run_once(containers, scripted, tmp_path):
    container = containers.run(scripted, mounts=write_scripts(tmp_path, scripted))
    container.wait_healthy()
    assert container.ask(scripted.count) == "2"
    container.kill()
    container.start()
    container.wait_healthy()
    assert container.ask(scripted.count) == "2"


def test_initialisation_killed_in_a_script_starts_again(containers, scripted, tmp_path):
    scripts, gate = tmp_path / "scripts", tmp_path / "gate"
    scripts.mkdir()
    gate.mkdir(mode=0o755)
    # Between the scripts that keep values, so that what the first attempt did would show.
    waiting = "[[ -e /gate/open ]] || { echo waiting at the gate; sleep 600; }"
    mounts = write_scripts(scripts, scripted, **{"2a.sh": waiting}) | {str(gate): "/gate"}
    container = containers.run(scripted, mounts=mounts)
    container.wait_for_log("waiting at the gate")
    assert not container.healthy
    container.kill()
    (gate / "open").touch()
    container.start()
    container.wait_healthy()
    assert container.ask(scripted.count) == "2"
    assert "initialisation was interrupted" in container.log
    assert container.run("test", "-e", f"{scripted.data}/{scripted.leftover}").returncode == 1


@pytest.mark.parametrize("delay", DELAYS)
def test_initialisation_killed_at_any_time(containers, scripted, tmp_path, delay):
    container = containers.run(scripted, mounts=write_scripts(tmp_path, scripted))
    time.sleep(delay)
    container.kill()
    container.start()
    container.wait_healthy()
    assert container.ask(scripted.count) == "2"


def test_failing_script_fails_the_start_until_it_is_mended(containers, scripted, tmp_path):
    mounts = write_scripts(tmp_path, scripted, **{"4.sql": "SELECT nonsense FROM nowhere;"})
    container = containers.run(scripted, mounts=mounts)
    assert container.wait_exit() != 0
    container.start()
    assert container.wait_exit() != 0
    (tmp_path / "4.sql").write_text("SELECT 1;")
    container.start()
    container.wait_healthy()
    assert container.ask(scripted.count) == "2"


def test_stopping_during_the_initialisation_is_quick(containers, scripted, tmp_path):
    container = containers.run(scripted, mounts=write_scripts(tmp_path, scripted, **{"4.sh": "sleep 600"}))
    container.wait_for_log("4.sh")
    started = time.monotonic()
    container.stop()
    assert time.monotonic() - started < 40


def test_foreign_content_is_refused(containers, scripted):
    volume = containers.volume()
    folder = "pgdata" if scripted.image == "postgresql" else "."
    script = f"mkdir -p {folder} && echo mine > {folder}/letter && chown -R 10001:0 {folder} && chmod 770 ."
    containers.prepare(scripted, volume, script)
    assert "is not empty" in refusal(containers.run(scripted, volume))


def test_every_image_is_tested():
    assert {server.image for server in SERVERS} == {"postgresql", "mariadb", "redis"}
