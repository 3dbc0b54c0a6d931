"""The pinned programs built from Go modules: where each comes from and how to build one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from cache import cached_file
from common import CACHE, ROOT, VERSIONS, CiError, log, output, run

# Settings of the caller that would change the result are overridden.
ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOWORK": "off",
    "GOOS": "",
    "GOARCH": "",
    "GOFLAGS": "-buildvcs=false -trimpath",
    "GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "auto"),
}


@dataclass(frozen=True)
class GoTool:
    """One program.

    Attributes:
        name: file name of the program.
        version: pinned version of `module`.
        module: Go module the program comes from.
        command: its main package, relative to `module`.
        variables: linker variables (`-X`); `{version}` is the pin, `{minor}` that of the Kubernetes
            1.x release whose client library the program contains.
        wrapped: built inside the module `ci/tools/<name>`, because `go install` refuses it.
    """

    name: str
    version: str
    module: str
    command: str = ""
    variables: tuple[str, ...] = ()
    wrapped: bool = False

    @property
    def wrapper(self) -> Path:
        return ROOT / "ci" / "tools" / self.name

    @property
    def binary(self) -> Path:
        """Its place in the cache, one for every recipe: a changed recipe is built anew."""
        digest = hashlib.sha256(repr(self).encode())
        for path in sorted(self.wrapper.iterdir()) if self.wrapped else []:
            digest.update(path.read_bytes())
        return CACHE / "tools" / f"{self.name}-{self.version}-{digest.hexdigest()[:8]}" / self.name


KUBECTL_VERSION = "k8s.io/component-base/version"
HELM3_KUBERNETES = ("helm.sh/helm/v3/pkg/lint/rules", "helm.sh/helm/v3/pkg/chartutil")
GO_TOOLS = (
    GoTool(
        "helm",
        VERSIONS["HELM_VERSION"],
        "helm.sh/helm/v4",
        "cmd/helm",
        ("helm.sh/helm/v4/internal/version.version={version}",),
    ),
    GoTool("kind", VERSIONS["KIND_VERSION"], "sigs.k8s.io/kind"),
    GoTool(
        "kubeconform",
        VERSIONS["KUBECONFORM_VERSION"],
        "github.com/yannh/kubeconform",
        "cmd/kubeconform",
        ("main.version={version}",),
    ),
    GoTool(
        "kubectl",
        VERSIONS["KUBERNETES_VERSION"].replace("v1.", "v0.", 1),
        "k8s.io/kubectl",
        variables=(
            f"{KUBECTL_VERSION}.gitVersion={VERSIONS['KUBERNETES_VERSION']}",
            f"{KUBECTL_VERSION}.gitMajor=1",
            f"{KUBECTL_VERSION}.gitMinor={{minor}}",
        ),
        wrapped=True,
    ),
    GoTool(
        "ct",
        VERSIONS["CT_VERSION"],
        "github.com/helm/chart-testing/v3",
        "ct",
        ("github.com/helm/chart-testing/v3/ct/cmd.Version={version}",),
        wrapped=True,
    ),
    GoTool("kustomize", VERSIONS["KUSTOMIZE_VERSION"], "sigs.k8s.io/kustomize/kustomize/v5"),
    GoTool(
        "helm-docs",
        VERSIONS["HELM_DOCS_VERSION"],
        "github.com/norwoodj/helm-docs",
        "cmd/helm-docs",
        ("main.version={version}",),
    ),
    GoTool("kwok", VERSIONS["KWOK_VERSION"], "sigs.k8s.io/kwok", "cmd/kwok"),
    GoTool(
        "helm3",
        VERSIONS["HELM3_VERSION"],
        "helm.sh/helm/v3",
        "cmd/helm",
        (
            "helm.sh/helm/v3/internal/version.version={version}",
            # Unset, Helm 3 renders for Kubernetes v1.20.
            *(f"{package}.k8sVersionMajor=1" for package in HELM3_KUBERNETES),
            *(f"{package}.k8sVersionMinor={{minor}}" for package in HELM3_KUBERNETES),
        ),
    ),
)


def build(tool: GoTool) -> bool:
    """Build one program into the cache; on failure nothing stays behind.

    Returns:
        Whether it had to be built.

    Raises:
        CiError: the build failed, or the pin of a wrapper module is another one.
    """
    if tool.binary.exists():
        return False
    log(f"building {tool.name} {tool.version} …")
    start, cpu = time.monotonic(), child_cpu_seconds()
    cached_file(tool.binary.parent, lambda directory: compile_into(tool, directory))
    seconds, cpu = time.monotonic() - start, child_cpu_seconds() - cpu
    log(f"built {tool.name} {tool.version} in {seconds:.0f} s ({cpu:.0f} CPU seconds)")
    return True


def compile_into(tool: GoTool, directory: Path) -> None:
    directory.mkdir()
    flags = f"-ldflags={linker_flags(tool)}"
    if tool.wrapped:
        check_pin(tool)
        package = f"{tool.module}/{tool.command}" if tool.command else "."
        command = ["go", "build", "-mod=readonly", flags, "-o", directory / tool.name, package]
        run("nice", *command, quiet=True, cwd=tool.wrapper, env=ENVIRONMENT)
        return
    package = "/".join(filter(None, (tool.module, tool.command)))
    install = ["go", "install", flags, f"{package}@{tool.version}"]
    run("nice", *install, quiet=True, cwd="/", env=ENVIRONMENT | {"GOBIN": str(directory)})
    (built,) = directory.iterdir()
    built.rename(directory / tool.name)


def linker_flags(tool: GoTool) -> str:
    """The linker's arguments: no debug data, and the version variables of the tool."""
    values = {"version": tool.version}
    if "{minor}" in str(tool.variables):
        values["minor"] = kubernetes_minor(tool)
    return " ".join(["-s -w", *(f"-X {variable.format(**values)}" for variable in tool.variables)])


def kubernetes_minor(tool: GoTool) -> str:
    """Minor version of the Kubernetes release whose client library the tool is built with."""
    return re.search(r"k8s\.io/client-go v0\.(\d+)", module_file(tool))[1]


def module_file(tool: GoTool) -> str:
    """Text of the go.mod that fixes the tool's dependencies."""
    if tool.wrapped:
        return (tool.wrapper / "go.mod").read_text()
    module = f"{tool.module}@{tool.version}"
    return Path(json.loads(output("go", "mod", "download", "-json", module, cwd="/"))["GoMod"]).read_text()


def check_pin(tool: GoTool) -> None:
    """Refuse a wrapper module that requires another version than `ci/versions.env` pins."""
    if not re.search(rf"{re.escape(tool.module)} {re.escape(tool.version)}\b", module_file(tool)):
        raise CiError(
            f"ci/tools/{tool.name}/go.mod does not require {tool.module} {tool.version} as ci/versions.env "
            f"says; run: go -C ci/tools/{tool.name} get {tool.module}@{tool.version}"
        )


def child_cpu_seconds() -> float:
    """CPU time used so far by the finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
