"""Which engine is chosen, and what podman is told on constrained hosts."""

import pytest

import engine
from common import CiError
from host import CAP_SYS_RESOURCE, Host, has_capability

FREE = Host(may_raise_limits=True, cgroup_v1=False, max_open_files=1 << 20, max_processes=1 << 20, boot_id="b")


@pytest.fixture
def detection(monkeypatch, tmp_path):
    """Detection from nothing: no memory of an earlier one, and a function that installs a fake program."""
    for name in ("CONTAINER_ENGINE", "CONTAINERS_CONF"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setattr(engine, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(engine, "host", lambda: FREE)
    engine.engine.cache_clear()

    def install(name: str, script: str) -> None:
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/calls\n{script}\n')
        program.chmod(0o755)

    install.calls = tmp_path / "calls"
    yield install
    engine.engine.cache_clear()


@pytest.mark.parametrize("step", ["import", "run"])
def test_docker_that_cannot_start_a_privileged_container_is_passed_over(step, detection, capsys):
    detection("docker", f'if [ "$1" = {step} ]; then echo "operation not permitted" >&2; exit 126; fi')
    detection("podman", "exit 0")
    assert engine.engine().name == "podman"
    said = capsys.readouterr().err.splitlines()[0]
    assert "docker is passed over: it cannot start a privileged container (" in said
    assert said.endswith(": operation not permitted)")


def test_docker_without_buildkit_is_passed_over(detection, capsys):
    detection("docker", 'if [ "$1" = build ]; then echo "the buildx component is missing" >&2; exit 1; fi')
    detection("podman", "exit 0")
    assert engine.engine().name == "podman"
    assert "docker is passed over: it cannot build an image; install its buildx plugin" in capsys.readouterr().err


def test_docker_without_a_daemon_is_passed_over(detection, capsys):
    detection("docker", 'echo "Cannot connect to the Docker daemon" >&2; exit 1')
    detection("podman", "exit 0")
    assert engine.engine().name == "podman"
    assert "Cannot connect to the Docker daemon" in capsys.readouterr().err


def test_docker_comes_first_when_both_work(detection):
    detection("docker", "exit 0")
    detection("podman", "exit 0")
    assert engine.engine().name == "docker"


def test_the_environment_chooses(detection, monkeypatch):
    detection("docker", "exit 0")
    detection("podman", "exit 0")
    monkeypatch.setenv("CONTAINER_ENGINE", "podman")
    assert engine.engine().name == "podman"


def test_an_unknown_engine_is_refused(detection, monkeypatch):
    monkeypatch.setenv("CONTAINER_ENGINE", "rkt")
    with pytest.raises(CiError, match="CONTAINER_ENGINE=rkt is not supported"):
        engine.engine()


def test_no_engine_gives_every_reason_in_one_line(detection):
    detection("docker", "echo broken >&2; exit 1")
    with pytest.raises(CiError, match="docker: it does not answer .*broken.*; podman is not installed") as caught:
        engine.engine()
    assert len(str(caught.value).splitlines()) == 1


def test_a_second_process_remembers_the_detection(detection):
    detection("podman", "exit 0")
    found = engine.engine()
    detection.calls.unlink()
    engine.engine.cache_clear()
    assert engine.engine() == found
    assert not detection.calls.exists()


def test_a_free_host_needs_no_podman_configuration():
    assert engine.containers_conf(FREE, has_runc=True) == ""


def test_limits_stay_within_the_process_when_it_may_not_raise_them():
    bound = Host(may_raise_limits=False, cgroup_v1=False, max_open_files=20000, max_processes=96365, boot_id="b")
    assert engine.containers_conf(bound, has_runc=True) == (
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
    )


@pytest.mark.parametrize(("has_runc", "expected"), [(True, '[engine]\nruntime = "runc"\n'), (False, "")])
def test_runc_runs_containers_on_cgroup_v1(has_runc, expected):
    old = Host(may_raise_limits=True, cgroup_v1=True, max_open_files=1, max_processes=1, boot_id="b")
    assert engine.containers_conf(old, has_runc) == expected


def test_a_given_podman_configuration_is_respected(detection, monkeypatch):
    monkeypatch.setattr(engine, "host", lambda: Host(False, True, 10, 10, "b"))
    monkeypatch.setenv("CONTAINERS_CONF", "/given")
    detection("podman", "exit 0")
    assert "CONTAINERS_CONF" not in engine.engine().env


@pytest.mark.parametrize(("mask", "expected"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_capabilities_are_read_from_the_bounding_set(mask, expected):
    assert has_capability(f"Name:\tx\nCapBnd:\t{mask}\n", CAP_SYS_RESOURCE) is expected
