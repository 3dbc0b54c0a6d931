#!/usr/bin/env python3
"""Runs the Go backend's NUMA tests in a virtual machine with two memory nodes, and prints what they print.

QEMU emulates it without KVM. The kernel is Debian's (or Ubuntu's) for clouds, out of its package, in the cache.
"""

from __future__ import annotations

import gzip
import lzma
import re
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cache import cached_file
from common import CACHE, ROOT, CiError, log, main_guard, run

GO_BACKEND = ROOT / "images" / "go-backend"
QEMU = "qemu-system-x86_64"
METAPACKAGES = ("linux-image-cloud-amd64", "linux-image-virtual")
MODULES = ("virtio_pci", "virtio_net")  # of the network card; a kernel may have them built in
TESTS = {"numa": "./internal/numa", "slotpool": "./internal/slotpool", "ingest": "./internal/ingest"}
TIMEOUT_SECONDS = 240


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel package."""

    folder: Path

    @property
    def image(self) -> Path:
        return next(self.folder.glob("boot/vmlinuz-*"))

    def modules(self) -> dict[str, bytes]:
        """Contents of MODULES by name, each after those that it depends on."""
        files = {path.name.split(".")[0].replace("-", "_"): path for path in self.folder.rglob("*.ko*")}
        found: dict[str, bytes] = {}

        def add(name: str) -> None:
            if name not in files or name in found:
                return
            packed = files[name].read_bytes()
            content = lzma.decompress(packed) if files[name].suffix == ".xz" else packed
            for dependency in re.search(rb"\0depends=([^\0]*)\0", content)[1].decode().split(","):
                add(dependency.replace("-", "_"))
            found[name] = content

        for name in MODULES:
            add(name)
        return found


def kernel() -> Kernel:
    """The kernel that the package sources offer today, downloaded once."""
    package = next(filter(None, map(newest, METAPACKAGES)), None)
    if not package:
        raise CiError(
            f"no package source offers {' or '.join(METAPACKAGES)}; run apt-get update, or add an amd64 source"
        )
    return Kernel(cached_file(CACHE / "kernels" / package, lambda folder: unpack(package, folder)))


def newest(metapackage: str) -> str | None:
    """The kernel package that a metapackage depends on."""
    depends = subprocess.run(["apt-cache", "depends", metapackage], capture_output=True, text=True, check=False)
    names = [line.split()[-1] for line in depends.stdout.splitlines() if "Depends: linux-image-" in line]
    return names[0] if names else None


def unpack(package: str, folder: Path) -> None:
    log(f"downloading {package}")
    with tempfile.TemporaryDirectory() as download:
        run("apt-get", "-qq", "download", package, cwd=download, quiet=True)
        (archive,) = Path(download).glob("*.deb")
        run("dpkg-deb", "--extract", archive, folder)


def build(folder: Path, name: str, *command: str) -> bytes:
    """A static program for the guest, by a go command without its -o."""
    target = folder / name
    run("go", command[0], "-o", target, *command[1:], cwd=GO_BACKEND, env={"CGO_ENABLED": "0", "GOARCH": "amd64"})
    return target.read_bytes()


def entry(name: str, mode: int, content: bytes = b"") -> bytes:
    """A file or folder in cpio's "newc" format."""
    header = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % field for field in header) + name.encode() + b"\0"
    return padded(head) + padded(content)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def initramfs(guest: Kernel) -> bytes:
    """Process 1, the tests and the modules."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        init = build(folder, "init", "build", "./internal/numa/guest")
        tests = {
            name: build(folder, name, "test", "-c", "-tags", "numaguest", package) for name, package in TESTS.items()
        }
    modules = guest.modules()
    order = "\n".join(f"/modules/{name}" for name in modules).encode()
    parts = [entry(name, stat.S_IFDIR | 0o755) for name in ("tests", "modules", "dev", "proc", "sys", "tmp")]
    parts += [entry("init", stat.S_IFREG | 0o755, init), entry("modules/order", stat.S_IFREG | 0o644, order)]
    parts += [entry(f"modules/{name}", stat.S_IFREG | 0o644, content) for name, content in modules.items()]
    parts += [entry(f"tests/{name}", stat.S_IFREG | 0o755, content) for name, content in tests.items()]
    return gzip.compress(b"".join([*parts, entry("TRAILER!!!", 0)]), 1)


def machine(guest: Kernel, ramdisk: Path) -> list[str]:
    """Two nodes with a CPU and 512 MiB each; the network card is behind the second."""
    nodes = []
    for node in range(2):
        nodes += ["-object", f"memory-backend-ram,id=m{node},size=512M", "-numa", f"node,cpus={node},memdev=m{node}"]
    card = [
        "-device", "pxb,id=far,bus=pci.0,bus_nr=8,numa_node=1", "-netdev", "hubport,id=net,hubid=0",
        "-device", "virtio-net-pci,bus=far,addr=1,netdev=net,romfile=",
    ]  # fmt: skip
    return [
        QEMU, "-accel", "tcg", "-cpu", "max", "-machine", "pc", "-smp", "2", "-m", "1024", *nodes, *card,
        "-kernel", str(guest.image), "-initrd", str(ramdisk), "-append", "console=ttyS0 quiet panic=-1 net.ifnames=0",
        "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
    ]  # fmt: skip


def guest_run() -> str:
    """Boot, test, and return the console's text.

    Raises:
        CiError: QEMU is missing or hangs.
    """
    guest = kernel()
    with tempfile.TemporaryDirectory() as folder:
        ramdisk = Path(folder) / "initramfs.gz"
        ramdisk.write_bytes(initramfs(guest))
        try:
            finished = subprocess.run(
                machine(guest, ramdisk), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise CiError(f"{QEMU} is not installed; run ci/prerequisites.sh") from None
        except subprocess.TimeoutExpired as hung:
            text = (hung.stdout or b"").decode(errors="replace")
            raise CiError(f"the guest did not end within {TIMEOUT_SECONDS} s; its last words: {text[-2000:]}") from None
    return finished.stdout.decode(errors="replace").replace("\r", "")


def failures(console: str) -> list[str]:
    """What did not end well: a test program that failed or never ran."""
    return [name for name in TESTS if f"guest: {name}: ok" not in console]


def main() -> None:
    console = guest_run()
    print(console)
    if failed := failures(console):
        raise CiError(f"in the guest failed: {', '.join(failed)}")


if __name__ == "__main__":
    main_guard(main)
