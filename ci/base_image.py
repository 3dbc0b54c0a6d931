#!/usr/bin/env python3
"""The image that all images start from: Debian slim, pulled where a registry answers, else made here."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from apt_sources import sources_for
from cache import cached_file, locked
from common import CACHE, VERSIONS, CiError, log, main_guard, run
from engine import engine
from host import architecture, is_root

SUITE = VERSIONS["DEBIAN_SUITE"]
REFERENCE = f"docker.io/library/debian:{SUITE}-slim"
EMULATORS = {"arm64": "qemu-aarch64", "amd64": "qemu-x86_64"}
LEFT_OUT = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*")
# apt-get in an image must not leave the packages that it installed, as in the published image.
KEEP_NO_PACKAGES = 'echo \'APT::Keep-Downloaded-Packages "false";\' > "$1/etc/apt/apt.conf.d/90no-archives"'


def ensure_base(arch: str = "") -> str:
    """Make the base image of an architecture exist locally.

    Args:
        arch: `amd64` or `arm64`; default: this host's.

    Returns:
        The reference to build from: the published name for this host's own architecture, a local name for
        another (one name can hold one architecture only).

    Raises:
        CiError: neither a registry nor Debian's packages give it.
    """
    arch = arch or architecture()
    if arch not in EMULATORS:
        raise CiError(f"no images are built for {arch}; choose one of {', '.join(EMULATORS)}")
    native = arch == architecture()
    reference = REFERENCE if native else f"localhost/triptych/debian-{arch}:{SUITE}-slim"
    if not native:
        ensure_emulation(arch)
    with locked(CACHE / "base" / arch):
        if engine().image_id(reference):
            return reference
        if engine().registry_has(REFERENCE):
            _pull(arch, reference)
        else:
            _import(arch, reference)
    return reference


def ensure_emulation(arch: str) -> None:
    """Make programs of another architecture run on this host (binfmt_misc and qemu-user).

    Raises:
        CiError: they cannot; the text names the package.
    """
    if sys.platform != "linux":
        return  # the engine's virtual machine brings its own
    emulator = EMULATORS[arch]
    registry = Path("/proc/sys/fs/binfmt_misc")
    if is_root() and not (registry / "register").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", registry, quiet=True)
    definition = Path("/usr/lib/binfmt.d") / f"{emulator}.conf"
    if is_root() and not (registry / emulator).exists() and definition.exists():
        (registry / "register").write_text(definition.read_text())
    if not (registry / emulator).exists():
        raise CiError(f"this host cannot run {arch} programs; install qemu-user-static")


def _pull(arch: str, reference: str) -> None:
    log(f"pulling {REFERENCE} for {arch}")
    engine().run("pull", "--platform", f"linux/{arch}", REFERENCE)
    if reference != REFERENCE:
        engine().run("tag", REFERENCE, reference)
        engine().run("pull", REFERENCE)  # give the published name back to this host's own architecture


def _import(arch: str, reference: str) -> None:
    archive = cached_file(CACHE / "base" / f"{SUITE}-{arch}.tar", lambda path: _bootstrap(arch, path))
    podman = engine().name == "podman"
    platform = ("--os", "linux", "--arch", arch) if podman else ("--platform", f"linux/{arch}")
    command = ("--change", 'CMD ["bash"]', archive, reference)
    engine().run("import", *platform, *command, quiet=True)


def _bootstrap(arch: str, archive: Path) -> None:
    if not shutil.which("mmdebstrap"):
        raise CiError(f"no registry has {REFERENCE} and mmdebstrap is not installed; install mmdebstrap")
    log(f"no registry answers: making Debian {SUITE} for {arch} from its packages (about 1 minute)")
    options = ["--variant=minbase", f"--architectures={arch}", "--include=ca-certificates", "--format=tar"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    options += ["--dpkgopt=path-include=/usr/share/doc/*/copyright", f"--customize-hook={KEEP_NO_PACKAGES}"]
    run("nice", "mmdebstrap", *options, SUITE, archive, *sources_for(SUITE), quiet=True)


if __name__ == "__main__":
    main_guard(lambda: print(ensure_base(*sys.argv[1:2])))
