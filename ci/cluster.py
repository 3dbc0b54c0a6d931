#!/usr/bin/env python3
"""The local Kubernetes clusters (kind): up, down, status, load. Every command may be repeated.

`up` also starts the nodes of a cluster that a reboot stopped and replaces one whose creation was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import string
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import load_images
from cache import locked
from common import CACHE, ROOT, VERSIONS, CiError, log, main_guard, output, run, tool
from engine import engine
from host import host, is_root
from node_image import NodeImage, ensure_node_image

NODE_COUNT = 3
HUGEPAGES = int(os.environ.get("HUGEPAGES") or 128)  # of 2 MiB, for the fast path
HUGEPAGES_FILE = Path("/proc/sys/vm/nr_hugepages")
COMPLETE = "/kind/triptych-complete"  # on the control plane: the cluster was Ready once
READY_SECONDS = 300
LEASE_AGE = timedelta(seconds=40)
SYSTEM_DEPLOYMENTS = {"coredns", "local-path-provisioner", "metrics-server"}
SYSTEM_NAMESPACES = {"kube-system", "local-path-storage"}
MANIFESTS = ROOT / "ci" / "manifests"


def up(name: str, port: int, kubeconfig: Path | None = None) -> None:
    """End with a Ready cluster; changes nothing when there is one.

    Args:
        name: kind's name of the cluster; kubectl's context is `kind-<name>`.
        port: port on 127.0.0.1 that reaches node port 30080.
        kubeconfig: file to write the context to; default: kubectl's own.

    Raises:
        CiError: the port is taken, or the cluster does not become Ready.
    """
    with locked(CACHE / "cluster" / name):
        _ensure_modules_folder()
        _ensure_names()
        reserve_hugepages()
        started = _start_stopped(name)
        if nodes(name) and not _is_complete(name):
            log(f"the creation of {name} was interrupted: creating it again")
            _delete(name, kubeconfig)
        if nodes(name):
            _kind("export", "kubeconfig", "--name", name, kubeconfig=kubeconfig)
        else:
            _create(name, port, kubeconfig)
        _wait_until_ready(name, kubeconfig, started)
        engine().run("exec", f"{name}-control-plane", "touch", COMPLETE, quiet=True)


def down(name: str, kubeconfig: Path | None = None) -> None:
    """Delete the cluster, its volumes and its kubectl context; nothing to do when there is none."""
    with locked(CACHE / "cluster" / name):
        existed = bool(nodes(name))
        _delete(name, kubeconfig)
    log(f"cluster {name} is deleted" if existed else f"there is no cluster {name}")


def load(name: str, references: list[str]) -> None:
    """Load local images into all nodes, only where they are missing or differ."""
    started = time.monotonic()
    count = load_images.load(name, nodes(name), list(dict.fromkeys(references)))
    log(
        f"images in {name}: {count} loaded in {time.monotonic() - started:.0f} s"
        if count
        else f"images in {name}: current"
    )


def status(name: str, kubeconfig: Path | None = None) -> None:
    """Print the nodes, and what is not Ready.

    Raises:
        CiError: there is no such cluster, or it is not Ready.
    """
    if not nodes(name):
        raise CiError(f"there is no cluster {name}")
    print(_kubectl(name, kubeconfig, "get", "nodes", "--output", "wide"))
    pending = list(_pending(name, kubeconfig, datetime.now(UTC) - LEASE_AGE))
    if pending:
        raise CiError(f"cluster {name} waits for {_some(pending)}")


def nodes(name: str, running_only: bool = False) -> list[str]:
    """Names of the cluster's node containers, the control plane first."""
    everything = () if running_only else ("--all",)
    filters = ("--filter", f"label=io.x-k8s.kind.cluster={name}")
    return sorted(engine().output("ps", *everything, *filters, "--format", "{{.Names}}").split())


def kind_config(image: NodeImage, port: int, empty_folder: Path, cgroup_v1: bool) -> str:
    """`ci/kind.yaml` for this host, filled in."""
    values = {
        "image": image.reference,
        "port": port,
        "empty_folder": empty_folder,
        "kubelet_patch": json.dumps(kubelet_settings(image.built, cgroup_v1)),
    }
    return string.Template((ROOT / "ci" / "kind.yaml").read_text()).substitute(values)


def kubelet_settings(built: bool, cgroup_v1: bool) -> dict:
    """What the kubelets need beyond kind's own settings.

    Args:
        built: the node image was made here: it has no systemd and its own resolver file.
        cgroup_v1: the host has control groups of version 1, which the kubelet refuses unless told.
    """
    settings: dict = {"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1"}
    if built:
        settings |= {
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": "/kubelet",
            "resolvConf": "/etc/kubernetes/resolv.conf",
        }
    if cgroup_v1:
        settings |= {"failCgroupV1": False}
    return settings


def _create(name: str, port: int, kubeconfig: Path | None) -> None:
    _check_port(port)
    image = ensure_node_image()
    log(f"creating cluster {name} ({NODE_COUNT} nodes, Kubernetes {VERSIONS['KUBERNETES_VERSION']})")
    empty_folder = CACHE / "cluster" / "no-hugepages"
    empty_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(kind_config(image, port, empty_folder, host().cgroup_v1))
        config.flush()
        _kind("create", "cluster", "--name", name, "--config", config.name, kubeconfig=kubeconfig)
    manifest = string.Template((MANIFESTS / "metrics-server.yaml").read_text()).substitute(VERSIONS)
    _kubectl(name, kubeconfig, "apply", "--filename", "-", input=manifest)


def _delete(name: str, kubeconfig: Path | None) -> None:
    _kind("delete", "cluster", "--name", name, kubeconfig=kubeconfig)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CiError(f"port {port} on 127.0.0.1 is busy; free it or choose another: make up PORT=<n>") from error


def _ensure_modules_folder() -> None:
    """kind mounts this folder into every node; a kernel with everything built in comes without it."""
    folder = Path("/lib/modules")
    if sys.platform != "linux" or folder.exists():
        return
    if not is_root():
        raise CiError(f"kind needs {folder}, which this host lacks; run: sudo mkdir {folder}")
    folder.mkdir()


def _ensure_names() -> None:
    """Remove a network of kind's, made before podman could serve names, by which nodes find each other."""
    if engine().name != "podman" or not engine().succeeds("network", "exists", "kind"):
        return
    if json.loads(engine().output("network", "inspect", "kind"))[0].get("dns_enabled"):
        return
    if not engine().succeeds("network", "rm", "kind"):
        fix = "delete the clusters that use it, then run: podman network rm kind"
        raise CiError(f"podman's network kind serves no names; {fix}")


def reserve_hugepages() -> None:
    """Raise the host's number of hugepages before a kubelet counts them at its start; never lower it."""
    if not HUGEPAGES_FILE.exists() or int(HUGEPAGES_FILE.read_text()) >= HUGEPAGES:
        return
    if not is_root():
        log(f"no fast path until you run: sudo sysctl vm.nr_hugepages={HUGEPAGES}; make down up")
        return
    HUGEPAGES_FILE.write_text(str(HUGEPAGES))
    got = int(HUGEPAGES_FILE.read_text())
    if got < HUGEPAGES:
        log(f"the kernel found room for {got} of {HUGEPAGES} hugepages")


def _start_stopped(name: str) -> datetime:
    """Start the nodes that are stopped; the time after which all nodes must have shown life."""
    stopped = [node for node in nodes(name) if node not in nodes(name, running_only=True)]
    if stopped:
        log(f"starting {', '.join(stopped)}")
        engine().run("start", *stopped, quiet=True)
        return datetime.now(UTC)
    return datetime.now(UTC) - LEASE_AGE


def _is_complete(name: str) -> bool:
    return len(nodes(name)) == NODE_COUNT and engine().succeeds("exec", f"{name}-control-plane", "test", "-e", COMPLETE)


def _wait_until_ready(name: str, kubeconfig: Path | None, since: datetime) -> None:
    deadline = time.monotonic() + READY_SECONDS
    shown: list[str] = []
    while pending := list(_pending(name, kubeconfig, since)):
        if pending != shown:
            log(f"waiting for {_some(pending)}")
            shown = pending
        if time.monotonic() > deadline:
            mend = f"make down (its data goes too) and make up make it anew; logs: {engine().name} exec"
            raise CiError(f"cluster {name} still waits for {_some(pending)}; {mend} <node> cat /var/log/kubelet.log")
        time.sleep(2)
    log(f"cluster {name} is Ready")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


def _pending(name: str, kubeconfig: Path | None, since: datetime) -> Iterator[str]:
    """What is not Ready yet, in words."""
    try:
        listed = _kubectl(
            name,
            kubeconfig,
            "get",
            "nodes,leases,deployments,apiservices,pods",
            "--all-namespaces",
            "--output",
            "json",
        )
    except CiError:
        yield "the API server"
        return
    yield from pending_objects(json.loads(listed)["items"], since)


def pending_objects(items: list[dict], since: datetime) -> Iterator[str]:
    """What is not Ready among nodes, system Deployments (absent ones too), system pods and served APIs.

    Args:
        items: objects as the API gives them.
        since: kubelets that wrote nothing after it are taken for dead: conditions outlive a restart.
    """
    fresh = {item["metadata"]["name"] for item in items if item["kind"] == "Lease" and _renewed(item, since)}
    missing = NODE_COUNT - len(fresh & _names(items, "Node", "Ready"))
    if missing > 0:
        yield f"{missing} of {NODE_COUNT} nodes"
    yield from sorted(SYSTEM_DEPLOYMENTS - _names(items, "Deployment", "Available"))
    wanted = _names([item for item in items if _is_system_pod(item)], "Pod")
    yield from sorted(wanted - _names(items, "Pod", "Ready"))
    yield from sorted(_names(items, "APIService") - _names(items, "APIService", "Available"))


def _is_system_pod(item: dict) -> bool:
    ended = item.get("status", {}).get("phase") == "Succeeded"  # a pod that made or deleted a volume
    return item["metadata"].get("namespace") in SYSTEM_NAMESPACES and not ended


def _names(items: list[dict], kind: str, condition: str = "") -> set[str]:
    """Names of the objects of a kind, or of those with a condition that is true."""
    return {
        item["metadata"]["name"]
        for item in items
        if item["kind"] == kind and (not condition or _condition(item, condition))
    }


def _renewed(lease: dict, since: datetime) -> bool:
    renewed = lease["spec"].get("renewTime")
    return bool(renewed) and datetime.fromisoformat(renewed) > since


def _condition(item: dict, kind: str) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)


def _kubectl(name: str, kubeconfig: Path | None, *arguments: str, **options) -> str:
    env = {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}
    return output(tool("kubectl"), "--context", f"kind-{name}", *arguments, env=env, **options)


def _kind(*arguments: str, kubeconfig: Path | None) -> None:
    to_file = ("--kubeconfig", kubeconfig) if kubeconfig else ()
    run(tool("kind"), *arguments, *to_file, env=engine().env, quiet=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("up", "down", "status", "load"))
    parser.add_argument("references", nargs="*", metavar="IMAGE", help="local images, for load")
    parser.add_argument("--name", default="triptych-alpha")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8080))
    parser.add_argument("--kubeconfig", type=Path)
    options = parser.parse_intermixed_args()
    if options.command == "up":
        up(options.name, options.port, options.kubeconfig)
    elif options.command == "load":
        load(options.name, options.references)
    else:
        {"down": down, "status": status}[options.command](options.name, options.kubeconfig)


if __name__ == "__main__":
    main_guard(main)
