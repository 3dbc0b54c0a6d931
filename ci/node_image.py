#!/usr/bin/env python3
"""The kind node image: pulled where a registry answers, else built from Go modules and Debian packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from base_image import ensure_base
from cache import cached_file, content_key, locked
from common import CACHE, ROOT, VERSIONS, CiError, log, main_guard, output, run
from engine import engine
from host import architecture

SOURCE = ROOT / "ci" / "node-image"
KUBERNETES = VERSIONS["KUBERNETES_VERSION"]
UPSTREAM = f"docker.io/kindest/node:{KUBERNETES}"
SYSTEM_IMAGE = "localhost/triptych/node-system:local"
PAUSE_IMAGE = "localhost/triptych/node-pause:local"
METRICS_SERVER_IMAGE = f"registry.k8s.io/metrics-server/metrics-server:{VERSIONS['METRICS_SERVER_VERSION']}"
MODULES = {  # by the version that pins each
    "LOCAL_PATH_PROVISIONER_VERSION": "github.com/rancher/local-path-provisioner",
    "METRICS_SERVER_VERSION": "sigs.k8s.io/metrics-server/cmd/metrics-server",
}


@dataclass(frozen=True)
class NodeImage:
    """A local node image.

    Attributes:
        reference: its full name.
        built: made here (no systemd, system images inside) rather than upstream's.
    """

    reference: str
    built: bool


def ensure_node_image() -> NodeImage:
    """Make a node image exist locally; seconds when it was made before, even for another checkout.

    Raises:
        CiError: it can be neither pulled nor built.
    """
    archive = CACHE / "node-image" / f"{image_key()}.tar"
    with locked(CACHE / "node-image" / "build"):
        if engine().image_id(reference()):
            return NodeImage(reference(), built=True)
        if archive.exists():
            engine().run("load", "--input", archive, quiet=True)
            return NodeImage(reference(), built=True)
        if engine().image_id(UPSTREAM) or _pull():
            return NodeImage(UPSTREAM, built=False)
        _build(reference())
        cached_file(archive, lambda path: engine().save([reference()], path))
        _keep_only(archive)
    return NodeImage(reference(), built=True)


def reference() -> str:
    """Name of the image as it is built here."""
    return f"localhost/triptych/node:{image_key()}"


def image_key() -> str:
    """Key of everything that the built image is made from."""
    return content_key(SOURCE, extra="\n".join([*_pins(), VERSIONS["DEBIAN_SUITE"]]))


def programs() -> Path:
    """Folder with the node's Go programs, built once per version."""
    return cached_file(programs_folder(), _compile)


def programs_folder() -> Path:
    """Place of the node's Go programs in the cache."""
    key = content_key(SOURCE / "hyperkube", extra="\n".join(_pins()))
    return CACHE / "node-image" / f"programs-{key}"


def system_names(kubeadm_images: str) -> list[str]:
    """Names of the system image on a node.

    Args:
        kubeadm_images: output of `kubeadm config images list`.
    """
    names = [line for line in kubeadm_images.split() if "/pause:" not in line]
    return [*names, METRICS_SERVER_IMAGE]


def _pins() -> list[str]:
    names = ("KUBERNETES_VERSION", "LOCAL_PATH_PROVISIONER_VERSION", "METRICS_SERVER_VERSION", "GO_TOOLCHAIN")
    return [*(VERSIONS[name] for name in names), architecture()]


def _pull() -> bool:
    if not engine().registry_has(UPSTREAM):
        return False
    log(f"pulling {UPSTREAM}")
    return bool(engine().run("pull", UPSTREAM))


def _compile(folder: Path) -> None:
    if not shutil.which("go"):
        raise CiError("no registry has the kind node image and go is not installed; run: make tools")
    log(f"building Kubernetes {KUBERNETES} from Go modules (once; about 7 CPU minutes)")
    folder.mkdir()
    major, minor = KUBERNETES.lstrip("v").split(".")[:2]
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor}
    stamped = " ".join(["-s -w", *(f"-X {package}.{name}={value}" for name, value in stamps.items())])
    env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": VERSIONS["GO_TOOLCHAIN"], "GOBIN": str(folder)}
    common = ("-trimpath", "-buildvcs=false", "-ldflags")
    hyperkube = ("-mod=readonly", *common, stamped, "-o", folder / "hyperkube", ".")
    run("nice", "-n", "5", "go", "build", *hyperkube, cwd=SOURCE / "hyperkube", env=env)
    for pin, path in MODULES.items():
        module = f"{path}@{VERSIONS[pin]}"
        log(f"building {module}")
        run("nice", "-n", "5", "go", "install", *common, "-s -w", module, cwd="/", env=env)


def _build(name: str) -> None:
    ensure_base()
    built = programs()
    log("building the node image")
    with tempfile.TemporaryDirectory(dir=CACHE / "node-image") as folder:
        context = Path(folder) / "context"
        shutil.copytree(SOURCE, context, ignore=shutil.ignore_patterns("hyperkube"))
        shutil.copytree(built, context / "bin", copy_function=os.link)
        (context / "images").mkdir()
        _build_target(context, "pause", PAUSE_IMAGE)
        _build_target(context, "system", SYSTEM_IMAGE)
        engine().save([PAUSE_IMAGE, SYSTEM_IMAGE], context / "images" / "system.tar")
        names = "".join(f"{name}\n" for name in system_names(_kubeadm_images(built, Path(folder))))
        (context / "images" / "system.names").write_text(names)
        _build_target(context, "node", name)


def _keep_only(archive: Path) -> None:
    """Delete older archives: each takes 1.3 GB, and their image is made again within a minute."""
    for path in archive.parent.glob("*.tar*"):
        if not path.name.startswith(archive.name):
            path.unlink()


def _build_target(context: Path, target: str, reference: str) -> None:
    arguments = ("--network", "host", "--build-arg", f"KUBERNETES_VERSION={KUBERNETES}")
    file = context / "Containerfile"
    engine().run("build", *arguments, "--target", target, "--tag", reference, "--file", file, context, quiet=True)


def _kubeadm_images(built: Path, folder: Path) -> str:
    kubeadm = folder / "kubeadm"
    kubeadm.symlink_to(built / "hyperkube")
    return output(kubeadm, "config", "images", "list", "--kubernetes-version", KUBERNETES)


if __name__ == "__main__":
    main_guard(lambda: print(ensure_node_image().reference))
