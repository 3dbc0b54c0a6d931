"""Node Feature Discovery itself reads what the probe writes and applies the rule that the chart makes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from common import ROOT, output, run, tool
from support import FAST_PATH_LABELS, eventually

FAST_PATH, HUGEPAGES = FAST_PATH_LABELS
CONFIG = {"BPF_SYSCALL": "y", "XDP_SOCKETS": "y"}


@pytest.fixture(scope="module")
def nfd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NFD's own packages behind a command of the tests."""
    program = tmp_path_factory.mktemp("nfd") / "nfd"
    run("go", "build", "-o", program, ".", cwd=Path(__file__).with_name("nfd"), quiet=True)
    return program


def write_features(go_backend: Path, folder: Path, interval: str = "0s") -> dict[str, str]:
    """Have the probe write its feature file; the labels that it logged."""
    command = [go_backend, "probe", "--nfd", "--features", folder, "--hugepages", "2Mi", "--interval", interval]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        return json.loads(process.stderr.readline())["labels"]
    finally:
        process.terminate()
        process.wait()


def test_nfd_reads_exactly_the_probes_labels(nfd: Path, go_backend: Path, tmp_path: Path):
    written = write_features(go_backend, tmp_path)
    assert "triptych.dev/xdp" in written and "triptych.dev/numa-nodes" in written
    assert json.loads(output(nfd, "local", tmp_path)) == written


def test_nfd_forgets_the_labels_of_a_probe_that_is_gone(nfd: Path, go_backend: Path, tmp_path: Path):
    """Three missed probes are enough."""
    # Long enough for NFD to start meanwhile, also on a busy machine.
    written = write_features(go_backend, tmp_path, "5s")
    assert json.loads(output(nfd, "local", tmp_path)) == written
    eventually(lambda: json.loads(output(nfd, "local", tmp_path)) == {}, 60, "the labels are forgotten")


def kernel(version: str, **config: str) -> dict:
    """Features of a kernel as NFD names them."""
    major, minor = version.split(".")
    return {"kernel.version": {"major": major, "minor": minor, "full": f"{version}.0"}, "kernel.config": config}


# Kernel and 2 MiB pages of a node, and the labels that the rule for 64Mi gives it.
NODES = {
    "fits": (kernel("6.12", **CONFIG), 32, {FAST_PATH, HUGEPAGES}),
    "oldest kernel": (kernel("5.18", **CONFIG), 32, {FAST_PATH, HUGEPAGES}),
    "kernel too old": (kernel("5.17", **CONFIG), 32, {HUGEPAGES}),
    "ancient kernel with a high minor": (kernel("4.19", **CONFIG), 32, {HUGEPAGES}),
    "kernel without AF_XDP": (kernel("6.12", BPF_SYSCALL="y"), 32, {HUGEPAGES}),
    "one page too few": (kernel("6.12", **CONFIG), 31, {FAST_PATH}),
    "no pages": (kernel("6.12", **CONFIG), 0, {FAST_PATH}),
}


@pytest.mark.parametrize("attributes, pages, expected", NODES.values(), ids=NODES)
def test_nfd_labels_by_the_charts_rule(nfd: Path, tmp_path: Path, attributes: dict, pages: int, expected: set[str]):
    folder = tmp_path / "kernel/mm/hugepages/hugepages-2048kB"
    folder.mkdir(parents=True)
    (folder / "nr_hugepages").write_text(f"{pages}\n")
    rendered = output(
        tool("helm"), "template", "demo", ROOT, "--set", "global.goBackend.enabled=true,go-backend.nfd.enabled=true",
        "--show-only", "charts/go-backend/templates/nfd.yaml",
    )  # fmt: skip
    node = {"rule": yaml.safe_load(rendered), "attributes": attributes}
    found = json.loads(output(nfd, "rule", tmp_path, input=json.dumps(node)))
    assert found == dict.fromkeys(expected, "true")
