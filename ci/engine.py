#!/usr/bin/env python3
"""The container engine that everything uses: docker or podman, detected once and remembered until a reboot.

from engine import engine
engine().run("build", "-t", "localhost/triptych/webui:0.1.0", ".")
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from common import CACHE, CiError, log, main_guard, output, run
from host import Host, host

SUPPORTED = ("docker", "podman")
PROBE_IMAGE = "localhost/triptych/engine-probe:1"
EMPTY_TAR = bytes(10240)
BUILDKIT = {"DOCKER_BUILDKIT": "1"}
# The kernel refuses more processes than this in one container on hosts without CAP_SYS_RESOURCE.
MAX_PROCESSES = 32768


@dataclass(frozen=True)
class Engine:
    """A container engine that works here.

    Attributes:
        name: `docker` or `podman`.
        path: its program.
        env: variables every call needs, also those of programs that call the engine (kind).
    """

    name: str
    path: str
    env: dict[str, str]

    def run(self, *arguments: str | Path, **options) -> subprocess.CompletedProcess:
        """Like `common.run`, with the engine's program and environment."""
        return run(self.path, *arguments, env=self.env | options.pop("env", {}), **options)

    def output(self, *arguments: str | Path, **options) -> str:
        """Like `common.output`, with the engine's program and environment."""
        return output(self.path, *arguments, env=self.env | options.pop("env", {}), **options)

    def succeeds(self, *arguments: str | Path, **options) -> bool:
        """Whether a call ends with exit code 0, in time; its output is dropped."""
        try:
            self.run(*arguments, capture_output=True, text=True, **options)
        except (CiError, subprocess.TimeoutExpired):
            return False
        return True

    def registry_has(self, reference: str) -> bool:
        """Whether the registry of an image answers within seconds and has it."""
        return self.succeeds("manifest", "inspect", reference, timeout=15)

    def image_id(self, reference: str) -> str:
        """Id of a local image, `sha256:<hex>`; empty when there is none."""
        try:
            found = self.output("image", "inspect", "--format", "{{.Id}}", reference)
        except CiError:
            return ""
        return found if found.startswith("sha256:") or not found else f"sha256:{found}"

    def save(self, references: list[str], archive: Path) -> None:
        """Write several local images, with all these names, into one archive."""
        many = ("--multi-image-archive", "--format", "docker-archive") if self.name == "podman" else ()
        self.run("save", *many, "--output", archive, *references, quiet=True)


@cache
def engine() -> Engine:
    """The engine named by `CONTAINER_ENGINE`, else the first of docker and podman that can run a node.

    Raises:
        CiError: no engine works; the text says why for each.
    """
    wanted = os.environ.get("CONTAINER_ENGINE", "")
    if wanted and wanted not in SUPPORTED:
        raise CiError(f"CONTAINER_ENGINE={wanted} is not supported; set it to docker or podman")
    remembered = CACHE / "engine" / f"{_detection_key(wanted)}.json"
    if remembered.exists():
        return Engine(**json.loads(remembered.read_text()))
    found = _detect((wanted,) if wanted else SUPPORTED)
    remembered.parent.mkdir(parents=True, exist_ok=True)
    remembered.write_text(json.dumps(asdict(found)))
    return found


def engine_env() -> dict[str, str]:
    """Variables that every call to the engine or to kind needs."""
    return engine().env


def containers_conf(facts: Host, has_runc: bool) -> str:
    """Text of the podman configuration this host needs; empty when it needs none."""
    lines = []
    if not facts.may_raise_limits:
        processes = min(facts.max_processes, MAX_PROCESSES)
        limits = f'["nofile={facts.max_open_files}:{facts.max_open_files}", "nproc={processes}:{processes}"]'
        lines += ["[containers]", f"default_ulimits = {limits}"]
    if facts.cgroup_v1 and has_runc:
        lines += ["[engine]", 'runtime = "runc"']  # crun refuses control groups of version 1
    return "\n".join(lines + [""]) if lines else ""


def _detect(candidates: tuple[str, ...]) -> Engine:
    reasons = []
    for name in candidates:
        path = shutil.which(name)
        if not path:
            reasons.append(f"{name} is not installed")
            continue
        candidate = Engine(name, path, _environment(name))
        reason = _fault(candidate)
        if not reason:
            log(f"container engine: {name} ({path})")
            return candidate
        log(f"{name} is passed over: {reason}")
        reasons.append(f"{name}: {reason}")
    raise CiError(f"no container engine works here ({'; '.join(reasons)}); install or start docker or podman")


def _environment(name: str) -> dict[str, str]:
    env = {"KIND_EXPERIMENTAL_PROVIDER": name}
    text = containers_conf(host(), bool(shutil.which("runc")))
    if name != "podman" or not text or "CONTAINERS_CONF" in os.environ:
        return env
    path = CACHE / "engine" / f"containers-{hashlib.sha256(text.encode()).hexdigest()[:12]}.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return env | {"CONTAINERS_CONF": str(path)}


def _fault(candidate: Engine) -> str:
    """Why an engine cannot build the images or run a Kubernetes node; empty when it can."""
    try:
        candidate.output("version", timeout=15)
    except (CiError, subprocess.TimeoutExpired) as error:
        return f"it does not answer ({_last_line(error)})"
    if candidate.name == "docker" and not _builds(candidate):
        return "it cannot build an image; install its buildx plugin (in Debian: docker-buildx)"
    if sys.platform != "linux":
        return ""  # the engine runs in a virtual machine of its own
    try:
        _start_privileged(candidate)
    except (CiError, subprocess.TimeoutExpired) as error:
        return f"it cannot start a privileged container ({_last_line(error)})"
    return ""


def _builds(docker: Engine) -> bool:
    """Whether docker has BuildKit, which distributions package apart from it."""
    return docker.succeeds("build", "--quiet", "-", input="FROM scratch\nLABEL probe=1\n", env=BUILDKIT, timeout=60)


def _start_privileged(candidate: Engine) -> None:
    """Run the host's own `true` in an empty image, so that the probe needs no registry."""
    if not candidate.image_id(PROBE_IMAGE):  # a second one would leave the first without a name
        candidate.run("import", "-", PROBE_IMAGE, input=EMPTY_TAR, capture_output=True, timeout=60)
    shared = [path for path in ("/usr", "/lib", "/lib64") if Path(path).exists()]
    mounts = [argument for path in shared for argument in ("--volume", f"{path}:{path}:ro")]
    command = ("run", "--rm", "--privileged", "--network", "none", *mounts, PROBE_IMAGE, "/usr/bin/true")
    candidate.run(*command, capture_output=True, text=True, timeout=60)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def _detection_key(wanted: str) -> str:
    facts = (wanted, str(host()), os.environ.get("CONTAINERS_CONF", ""), os.environ.get("PATH", ""))
    facts += (os.environ.get("DOCKER_HOST", ""), str(os.geteuid()))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main_guard(lambda: print(engine().name))
