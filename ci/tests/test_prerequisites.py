"""What `ci/prerequisites.sh` says and does on hosts that lack something, with stand-ins for the host's programs."""

import os
import shutil
import subprocess

import pytest

from common import ROOT
from host import host as host_facts

BASICS = ("awk", "basename", "bash", "cat", "cksum", "cut", "dirname", "head", "ln", "mkdir", "mv", "rm", "sed")
BASICS += ("sort", "tail", "uname")
PRESENT = {
    "git": "",
    "make": "",
    "podman": "",
    "runc": "",
    "newuidmap": "",
    "iptables": "",
    "clang": "",
    "llvm-strip": "",
    "chromium": "",
    "mmdebstrap": "",
    "arch-test": "",
    "qemu-aarch64": "",
    "qemu-system-x86_64": "",
    "python3": "",
    "npm": "",
    "go": "echo go1.26.1",
    "node": "echo v24.1.0",
    "id": "echo 1000",
    "df": f"echo Filesystem 1024-blocks Used Available Capacity Mounted; echo /dev/x {1 << 30} 1 {1 << 29} 1% /",
}


@pytest.fixture
def host(tmp_path):
    """A host with exactly the given programs; returns a function that runs the script on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in BASICS:
        (folder / name).symlink_to(shutil.which(name))

    def run(programs: dict[str, str], **env: str) -> subprocess.CompletedProcess:
        for name, body in programs.items():
            (folder / name).unlink(missing_ok=True)
            (folder / name).write_text(f"#!{shutil.which('bash')}\n{body}\n")
            (folder / name).chmod(0o755)
        environment = {"PATH": str(folder), "HOME": str(tmp_path), "TRIPTYCH_CACHE": str(tmp_path / "cache"), **env}
        script = ["bash", str(ROOT / "ci" / "prerequisites.sh")]
        return subprocess.run(script, env=environment, capture_output=True, text=True, check=False)

    return run


def only_error(result: subprocess.CompletedProcess) -> str:
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.skipif(not os.path.exists("/usr/include/bpf/bpf_helpers.h"), reason="this host itself lacks libbpf-dev")
def test_nothing_missing_says_nothing(host):
    result = host(PRESENT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_without_root_one_message_lists_what_to_install(host):
    without = {name: body for name, body in PRESENT.items() if name not in ("podman", "clang", "make")}
    line = only_error(host(without))
    assert "not installed: make podman clang;" in line
    assert "sudo apt-get install make podman clang" in line


NO_BUILDX = 'case "$1" in buildx) exit 1; esac; echo 28.2.2'


@pytest.mark.parametrize("docker", ["exit 1", NO_BUILDX])
def test_docker_that_does_not_answer_or_cannot_build_does_not_count(docker, host):
    programs = {name: body for name, body in PRESENT.items() if name != "podman"} | {"docker": docker}
    assert "not installed: podman;" in only_error(host(programs))


@pytest.mark.skipif(not os.path.exists("/usr/include/bpf/bpf_helpers.h"), reason="this host itself lacks libbpf-dev")
def test_docker_of_today_is_enough(host):
    programs = {name: body for name, body in PRESENT.items() if name not in ("podman", "runc", "iptables")}
    result = host(programs | {"docker": "echo 28.2.2"})
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(host_facts().may_raise_limits, reason="this host may raise limits, so old ones work too")
def test_old_docker_does_not_count_where_limits_may_not_be_raised(host):
    programs = {name: body for name, body in PRESENT.items() if name != "podman"} | {"docker": "echo 20.10.24"}
    assert "not installed: podman;" in only_error(host(programs))


def test_root_on_debian_installs_only_what_is_missing(host, tmp_path):
    log = tmp_path / "apt.log"
    install = f'echo "$@" >> {log}; case "$*" in *install*) printf "#!/bin/sh\\n" > {tmp_path}/bin/clang; esac'
    programs = {name: body for name, body in PRESENT.items() if name != "clang"}
    result = host(programs | {"id": "echo 0", "apt-get": install})
    assert result.returncode == 0, result.stderr
    update, command = log.read_text().splitlines()
    assert update.endswith(" update")
    assert command.split("--no-install-recommends ")[1].split() == ["clang"]
    assert result.stderr == "▸ installing with apt-get: clang\n"


def test_failed_installation_is_told(host):
    programs = {name: body for name, body in PRESENT.items() if name != "clang"}
    result = host(programs | {"id": "echo 0", "apt-get": 'case "$*" in *install*) exit 100; esac'})
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "error: apt-get could not install: clang"


def test_full_disk_is_told(host):
    full = 'echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "/dev/x 100 1 3145728 1% /"'
    line = only_error(host(PRESENT | {"df": full}))
    assert "3 GB free at " in line
    assert "20 GB needed" in line


def test_cache_that_cannot_be_written_is_told(host):
    assert "/proc/nowhere cannot be written" in only_error(host(PRESENT, TRIPTYCH_CACHE="/proc/nowhere"))


@pytest.mark.parametrize(("program", "old"), [("go", "echo go1.20.1"), ("node", "echo v18.19.0")])
def test_too_old_a_toolchain_is_replaced_and_a_failure_told(host, program: str, old: str):
    # A virtual environment whose pip finds nothing.
    make_venv = 'mkdir -p "${@: -1}/bin"; printf "#!/bin/sh\\nexit 1\\n" > "${@: -1}/bin/pip"'
    python = f'case "$*" in "-m venv "*) {make_venv}; esac'
    python += '; chmod() { :; }; [ -z "$3" ] || /bin/chmod +x "$3/bin/pip"'
    result = host(PRESENT | {program: old, "python3": python})
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f"error: PyPI did not give {program}; install it by hand and repeat"
