"""The Helm release of the platform on one local cluster: install, upgrade, mend, compare."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from common import BUILD, ROOT, CiError, log, output, run, tool

RELEASE = "triptych"
NAMESPACE = "triptych"
INSTALL_TIMEOUT = "10m"


@dataclass(frozen=True)
class Target:
    """One local cluster and the way into it.

    Attributes:
        name: kind's name of the cluster; kubectl's context is `kind-<name>`.
        port: host port at which the web UI answers.
        kubeconfig: file with the context; None means kubectl's default.
    """

    name: str
    port: int
    kubeconfig: Path | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """Variables that point kubectl and helm at this cluster."""
        return {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {}

    def kubectl(self, *arguments: str | Path, **options) -> str:
        """Standard output of kubectl in the platform's namespace."""
        command = [tool("kubectl"), "--context", f"kind-{self.name}", "--namespace", NAMESPACE, *arguments]
        return output(*command, env=self.env, **options)

    def helm(self, *arguments: str | Path, **options) -> str:
        """Standard output of helm in the platform's namespace."""
        command = [tool("helm"), "--kube-context", f"kind-{self.name}", "--namespace", NAMESPACE, *arguments]
        return output(*command, env=self.env, **options)


ALPHA = Target("triptych-alpha", int(os.environ.get("PORT") or 8080))
TEST = Target("triptych-test", 18080, BUILD / "kubeconfig-triptych-test")


def from_environment() -> Target:
    """The cluster that `CLUSTER` names: `alpha` (default) or `test`."""
    targets = {"alpha": ALPHA, "test": TEST}
    name = os.environ.get("CLUSTER") or "alpha"
    if name not in targets:
        raise CiError(f"CLUSTER is {name!r}; it must be one of: {', '.join(targets)}")
    return targets[name]


def value_arguments() -> list[str]:
    """Values of a local cluster: the alpha environment and the image tags that `make images` wrote."""
    images = BUILD / "images.yaml"
    if not images.exists():
        raise CiError(".build/images.yaml is missing; run: make images")
    return ["--values", str(ROOT / "values-alpha.yaml"), "--values", str(images)]


def status(target: Target) -> tuple[str, int]:
    """State and revision of the release, as Helm names them; `("absent", 0)` before the first install."""
    releases = json.loads(target.helm("list", "--filter", f"^{RELEASE}$", "--output", "json"))
    if not releases:
        return "absent", 0
    return releases[0]["status"], int(releases[0]["revision"])


def mend(target: Target) -> None:
    """Clear what an interrupted install or upgrade left, since Helm refuses to go on from there.

    Data and Secrets outlive this: claims of StatefulSets and bootstrap Secrets are no part of a release.
    """
    state, revision = status(target)
    if state == "pending-install" or (state == "failed" and revision == 1):
        log(f"an earlier install ended as {state}: removing it")
        target.helm("uninstall", RELEASE, "--wait")
    elif state in ("pending-upgrade", "pending-rollback"):
        log(f"an earlier upgrade ended as {state}: going back to the last good revision")
        target.helm("rollback", RELEASE, "--wait", "--timeout", INSTALL_TIMEOUT)


def is_current(target: Target) -> bool:
    """Whether the installed release is exactly what the chart and values give now."""
    if status(target)[0] != "deployed":
        return False
    rendered = target.helm(
        "template", RELEASE, str(ROOT), *value_arguments(), "--no-hooks", "--is-upgrade", "--skip-tests"
    )
    return _objects(rendered) == _objects(target.helm("get", "manifest", RELEASE))


def _objects(manifest: str) -> list[str]:
    return sorted(part.strip() for part in manifest.split("\n---\n") if part.strip(" \n-"))


def install(target: Target) -> bool:
    """Install or upgrade the platform and wait until every pod is ready.

    Returns:
        Whether anything had to change.

    Raises:
        CiError: not ready within `INSTALL_TIMEOUT`; the pods and their events were printed.
    """
    mend(target)
    if is_current(target):
        log("the release is up to date")
        return False
    log(f"installing the chart into {target.name} (waits up to {INSTALL_TIMEOUT} for every pod)")
    try:
        target.helm(
            "upgrade", RELEASE, str(ROOT), "--install", "--create-namespace", *value_arguments(),
            "--wait", "--wait-for-jobs", "--timeout", INSTALL_TIMEOUT,
        )  # fmt: skip
    except CiError:
        explain(target)
        raise
    return True


def explain(target: Target) -> None:
    """Print what a person would look at first when pods do not become ready."""
    command = [tool("kubectl"), "--context", f"kind-{target.name}", "--namespace", NAMESPACE]
    run(*command, "get", "pods,pvc,jobs", "--output", "wide", env=target.env)
    run(*command, "get", "events", "--sort-by", ".lastTimestamp", "--field-selector", "type=Warning", env=target.env)


def apply_local_access(target: Target) -> None:
    """Open the web UI at the cluster's host port. This belongs to the local cluster, not to the chart."""
    target.kubectl("apply", "--filename", ROOT / "ci" / "manifests" / "local-access.yaml")
