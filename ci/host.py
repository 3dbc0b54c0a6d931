"""What this host allows: capabilities, control groups and limits that decide how containers can run on it."""

from __future__ import annotations

import os
import platform
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

CAP_SYS_RESOURCE = 24
GO_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Host:
    """Facts about this host.

    Attributes:
        may_raise_limits: the capability bounding set has CAP_SYS_RESOURCE.
        cgroup_v1: the control groups are version 1 or hybrid.
        max_open_files: hard limit of open files of this process.
        max_processes: hard limit of processes of this process.
        boot_id: changes with every boot.
    """

    may_raise_limits: bool
    cgroup_v1: bool
    max_open_files: int
    max_processes: int
    boot_id: str


def has_capability(status: str, capability: int) -> bool:
    """Whether the bounding set in the text of a `/proc/<pid>/status` file has a capability."""
    masks = [line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:")]
    return bool(masks) and bool(int(masks[0], 16) >> capability & 1)


def host() -> Host:
    """Read the facts; off Linux the container engine has a machine of its own, which constrains nothing."""
    if sys.platform != "linux":
        return Host(True, False, 1 << 20, 1 << 15, "")
    return Host(
        may_raise_limits=has_capability(Path("/proc/self/status").read_text(), CAP_SYS_RESOURCE),
        cgroup_v1=not Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        max_open_files=_hard_limit(resource.RLIMIT_NOFILE),
        max_processes=_hard_limit(resource.RLIMIT_NPROC),
        boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
    )


def architecture() -> str:
    """This host's architecture as Go, Debian and OCI images name it.

    Raises:
        KeyError: a machine that the platform is not built for.
    """
    return GO_ARCHITECTURES[platform.machine().lower()]


def is_root() -> bool:
    """Whether this process may change the host itself."""
    return os.geteuid() == 0


def _hard_limit(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return 1 << 20 if hard == resource.RLIM_INFINITY else hard
