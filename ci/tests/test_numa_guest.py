"""What ci/numa_guest.py makes of a kernel package and of the guest's words."""

import lzma

import pytest

import numa_guest


def test_modules_come_after_what_they_depend_on(tmp_path):
    def module(name, depends, suffix=""):
        content = f"\0name={name}\0depends={depends}\0".encode()
        path = tmp_path / "lib" / "modules" / f"{name}.ko{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(content) if suffix else content)
        return content

    module("virtio_net", "net_failover,virtio")
    module("net_failover", "failover")
    virtio = module("virtio", "", ".xz")
    module("veth", "")
    found = numa_guest.Kernel(tmp_path).modules()  # failover and virtio_pci are built in
    assert list(found) == ["net_failover", "virtio", "virtio_net"]
    assert found["virtio"] == virtio


@pytest.mark.parametrize(
    ("console", "failed"),
    [
        ("", ["numa", "slotpool", "ingest"]),
        ("guest: numa: ok\nguest: slotpool: exit status 1\nguest: ingest: ok\n", ["slotpool"]),
        ("guest: numa: ok\nguest: slotpool: ok\nguest: ingest: ok\n", []),
    ],
)
def test_failures_name_what_failed_or_never_ran(console, failed):
    assert numa_guest.failures(console) == failed
