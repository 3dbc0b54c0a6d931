"""A Kubernetes control plane of loopback processes, with kwok playing the nodes: no container, no kubelet."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import httpx
import pytest

import node_image
from common import output, tool
from support import free_ports

TOKEN = "for-this-test-only"
CONTROLLERS = "daemonset-controller,deployment-controller,replicaset-controller,serviceaccount-controller"
STAGES = Path(__file__).with_name("kwok.yaml")
START_SECONDS = 180
STOP_SECONDS = 20
# Clients of the API server wait for no quota of their own.
UNLIMITED = ("--kube-api-qps=2000", "--kube-api-burst=2000")


class ControlPlane:
    """etcd, API server, scheduler, controllers and kwok, from the programs of the local clusters' node image.

    Attributes:
        url: address of the API server.
        authority: file with the API server's certificate, which signs itself.
        kubeconfig: file for an administrator.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hyperkube = node_image.programs() / "hyperkube"
        self.processes: list[subprocess.Popen] = []
        port, self.etcd_port, self.peers_port = free_ports(3)
        self.url = f"https://127.0.0.1:{port}"
        self.authority = folder / "certificates" / "apiserver.crt"
        self.kubeconfig = folder / "kubeconfig"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        keys = self.folder / "keys"
        self._kubernetes("kubeadm", "init", "phase", "certs", "sa", "--cert-dir", keys).wait(START_SECONDS)
        etcd, peers = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peers_port}"
        self._kubernetes(
            "etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync", "--listen-client-urls", etcd,
            "--advertise-client-urls", etcd, "--listen-peer-urls", peers,
            "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
        )  # fmt: skip
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f"{TOKEN},admin,admin,system:masters\n")
        self._kubernetes(
            "kube-apiserver", "--etcd-servers", etcd, "--bind-address", "127.0.0.1",
            "--secure-port", self.url.rsplit(":", 1)[1], "--cert-dir", self.authority.parent,
            "--service-cluster-ip-range", "10.0.0.0/24", "--authorization-mode", "RBAC", "--token-auth-file", tokens,
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", keys / "sa.pub", "--service-account-signing-key-file", keys / "sa.key",
            # No controller removes the taint that it puts on new nodes.
            "--disable-admission-plugins", "TaintNodesByCondition",
        )  # fmt: skip
        self._wait_until_ready()
        self._write_kubeconfig()
        config = ("--kubeconfig", self.kubeconfig)
        serve_nothing = ("--leader-elect=false", "--secure-port=0")
        self._kubernetes("kube-scheduler", *config, *serve_nothing, *UNLIMITED)
        self._kubernetes(
            "kube-controller-manager", *config, *serve_nothing, *UNLIMITED, "--controllers", CONTROLLERS,
        )  # fmt: skip
        # No controller looks at leases either: renewing a thousand of them would be work for nothing.
        play = ("--config", STAGES, "--manage-all-nodes", "--node-lease-duration-seconds=3600")
        self._run(tool("kwok"), "kwok", *config, *play)

    def stop(self) -> None:
        """End every process, the last started first."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def _kubernetes(self, name: str, *arguments: str | Path) -> subprocess.Popen:
        """Start a program of the one binary, which looks at the name it is called by."""
        return self._run(self.hyperkube, name, *arguments)

    def _run(self, program: str | Path, name: str, *arguments: str | Path) -> subprocess.Popen:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        with (self.folder / f"{name}.log").open("w") as log:
            argv = [name, *(str(argument) for argument in arguments)]
            process = subprocess.Popen(argv, executable=program, stdout=log, stderr=log, env=environment)
        self.processes.append(process)
        return process

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.check()
            try:
                if self.authority.exists() and self.client().get("/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < deadline, f"no API server: {self.log_tail('kube-apiserver')}"
            time.sleep(0.2)

    def check(self) -> None:
        """Fail when a program of the control plane has ended; the first, kubeadm, only makes keys."""
        ended = [process.args[0] for process in self.processes[1:] if process.poll() is not None]
        if ended:
            pytest.fail(f"{ended[0]} ended: {self.log_tail(ended[0])}")

    def log_tail(self, name: str) -> str:
        return "\n".join((self.folder / f"{name}.log").read_text().splitlines()[-5:])

    def _write_kubeconfig(self) -> None:
        kubectl = (tool("kubectl"), "config", "--kubeconfig", self.kubeconfig)
        authority = f"--certificate-authority={self.authority}"
        output(*kubectl, "set-cluster", "loopback", f"--server={self.url}", authority)
        output(*kubectl, "set-credentials", "admin", f"--token={TOKEN}")
        output(*kubectl, "set-context", "loopback", "--cluster=loopback", "--user=admin")
        output(*kubectl, "use-context", "loopback")

    def client(self, token: str = TOKEN) -> httpx.Client:
        """Client of the API server; by default an administrator's."""
        trusted = ssl.create_default_context(cafile=self.authority)
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, verify=trusted, timeout=30, trust_env=False
        )

    def kubectl(self, *arguments: str | Path, **options) -> str:
        return output(tool("kubectl"), "--kubeconfig", self.kubeconfig, *arguments, **options)

    def create_nodes(self, nodes: Iterable[dict]) -> None:
        """Create Node objects, several at a time."""
        with self.client() as client, ThreadPoolExecutor(8) as pool:
            for answer in pool.map(lambda node: client.post("/api/v1/nodes", json=node), nodes):
                answer.raise_for_status()

    def pods(self, namespace: str, component: str) -> list[dict]:
        """Pods of a component that are not being deleted."""
        self.check()
        parameters = {"labelSelector": f"app.kubernetes.io/name={component}"}
        with self.client() as client:
            answer = client.get(f"/api/v1/namespaces/{namespace}/pods", params=parameters).raise_for_status()
        return [pod for pod in answer.json()["items"] if "deletionTimestamp" not in pod["metadata"]]
