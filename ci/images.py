#!/usr/bin/env python3
"""Build the images of `images/` whose content has changed, and write `.build/images.yaml` for Helm."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from base_image import ensure_base
from cache import locked
from common import BUILD, CACHE, ROOT, VERSIONS, CiError, log, main_guard, output
from engine import BUILDKIT, engine
from host import architecture

IMAGES = ROOT / "images"
REPOSITORY = "localhost/triptych"
VALUES_FILE = BUILD / "images.yaml"
# Components of the chart that do not have the name of their image.
COMPONENTS = {"mariadb": "mysql"}
# Images that only tests start: built when they are named, no part of the platform.
TEST_IMAGES = {"mysql": "tests/mysql", "ingress": "tests/ingress"}
CA_BUNDLE = Path(os.environ.get("SSL_CERT_FILE") or "/etc/ssl/certs/ca-certificates.crt")
DECLARATION = re.compile(r"^ARG\s+(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Image:
    """One folder of `images/`, or a test image.

    Attributes:
        name: of the folder, or in `TEST_IMAGES`.
        arch: `amd64` or `arm64`.
    """

    name: str
    arch: str

    @property
    def folder(self) -> Path:
        return IMAGES / TEST_IMAGES.get(self.name, self.name)

    @property
    def component(self) -> str:
        return COMPONENTS.get(self.name, self.name)

    @cached_property
    def files(self) -> list[Path]:
        """The build context, relative to the folder: every file that neither git nor `.containerignore` ignores."""
        ignored = self._git_files("--ignored", "--exclude-per-directory=.containerignore")
        names = self._git_files("--exclude-standard") - ignored
        return sorted(Path(name) for name in names if (self.folder / name).exists())

    @cached_property
    def declared(self) -> set[str]:
        """Names of the build arguments that the Containerfile declares."""
        declarations = DECLARATION.findall((self.folder / "Containerfile").read_text())
        return {word.partition("=")[0] for line in declarations for word in line.split()}

    @cached_property
    def arguments(self) -> dict[str, str]:
        """Build arguments: the versions that the Containerfile declares."""
        pinned = VERSIONS | {"VERSION": VERSIONS["PLATFORM_VERSION"]}
        return {name: pinned[name] for name in sorted(self.declared & pinned.keys())}

    @cached_property
    def tag(self) -> str:
        """16 hexadecimal digits over everything that decides the content, and a foreign architecture."""
        digest = hashlib.sha256(repr(self.arguments).encode())
        for name in self.files:
            path = self.folder / name
            digest.update(f"\0{name}\0{path.stat().st_mode & 0o111 != 0}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16] + self._suffix

    @property
    def reference(self) -> str:
        return f"{REPOSITORY}/{self.name}:{self.tag}"

    @property
    def release_reference(self) -> str:
        return f"{REPOSITORY}/{self.name}:{VERSIONS['PLATFORM_VERSION']}{self._suffix}"

    @property
    def exists(self) -> bool:
        return bool(engine().image_id(self.reference))

    @property
    def megabytes(self) -> float:
        """Size of the built image, uncompressed, in 10⁶ bytes."""
        return int(engine().output("image", "inspect", "--format", "{{.Size}}", self.reference)) / 1e6

    def _git_files(self, *options: str) -> set[str]:
        listed = output("git", "ls-files", "--cached", "--others", "-z", *options, cwd=self.folder)
        return set(listed.split("\0")) - {""}

    @property
    def _suffix(self) -> str:
        return "" if self.arch == architecture() else f"-{self.arch}"


def find_images(names: list[str] | None = None, arch: str = "") -> list[Image]:
    """Images with these names, default the platform's, for an architecture, default this host's.

    Raises:
        CiError: a name is no folder with a Containerfile.
    """
    known = sorted(path.parent.name for path in IMAGES.glob("*/Containerfile"))
    unknown = [name for name in names or [] if name not in (*known, *TEST_IMAGES)]
    if unknown:
        raise CiError(f"no image {unknown[0]}; choose from: {', '.join(known)}")
    return [Image(name, arch or architecture()) for name in names or known]


def build_all(names: list[str] | None = None, arch: str = "") -> list[str]:
    """Build what changed among the named images (default: the platform's) and write the values file.

    Returns:
        Every reference under which the images can be used: by content and by platform version.

    Raises:
        CiError: a build failed, or a name is unknown.
    """
    images = find_images(names, arch)
    for image in images:
        with locked(CACHE / "images" / f"{image.name}-{image.arch}"):
            _ensure(image)
    write_values()
    return [reference for image in images for reference in (image.reference, image.release_reference)]


def write_values() -> None:
    """Write the tags of the images that exist for this host as Helm values."""
    lines = [f'{image.component}:\n  image:\n    tag: "{image.tag}"\n' for image in find_images() if image.exists]
    VALUES_FILE.parent.mkdir(exist_ok=True)
    VALUES_FILE.write_text("# Written by ci/images.py\n" + "".join(lines))


def _ensure(image: Image) -> None:
    """Build an image unless its tag exists, and give it the tag of the platform version."""
    if image.exists:
        log(f"{image.name}: up to date ({image.tag}, {image.megabytes:.0f} MB)")
    else:
        started = time.monotonic()
        log(f"{image.name}: building {image.reference}")
        _build(image)
        log(f"{image.name}: built in {time.monotonic() - started:.0f} s ({image.tag}, {image.megabytes:.0f} MB)")
    engine().run("tag", image.reference, image.release_reference)


def _build(image: Image) -> None:
    ensure_base()
    # What runs nothing of its own architecture while it is built needs no emulation, and no base of that architecture.
    base = {"BASE_IMAGE": ensure_base(image.arch)} if "BASE_IMAGE" in image.declared else {}
    with tempfile.TemporaryDirectory(prefix="triptych-build-") as context:
        _copy_context(image, Path(context))
        command = ["build", "--network", "host", "--platform", f"linux/{image.arch}", "--tag", image.reference]
        command += ["--file", f"{context}/Containerfile", *_build_options(image, base), context]
        engine().run(*command, env=BUILDKIT, stdout=sys.stderr)


def _build_options(image: Image, base: dict[str, str]) -> Iterator[str]:
    arguments = image.arguments | base
    if engine().name == "podman":  # docker sets these itself; podman keeps no layers unless asked
        yield "--layers"
        yield "--format=docker"  # the only one that holds a HEALTHCHECK
        arguments |= {"BUILDPLATFORM": f"linux/{architecture()}"}
        arguments |= {"TARGETPLATFORM": f"linux/{image.arch}", "TARGETARCH": image.arch}
    for name, value in arguments.items():
        yield from ("--build-arg", f"{name}={value}")
    if CA_BUNDLE.exists():
        yield from ("--secret", f"id=ca_bundle,src={CA_BUNDLE}")


def _copy_context(image: Image, target: Path) -> None:
    """Give the build exactly the files that the tag was computed from."""
    for name in image.files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(image.folder / name, target / name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="folders of images/ (default: all)")
    parser.add_argument("--platform", choices=["linux/amd64", "linux/arm64"], default=f"linux/{architecture()}")
    parser.add_argument("--list", action="store_true", help="print every reference and whether it is built")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    arch = arguments.platform.removeprefix("linux/")
    if not arguments.list:
        build_all(arguments.names, arch)
        return
    for image in find_images(arguments.names, arch):
        print(image.reference, "built" if image.exists else "missing")


if __name__ == "__main__":
    main_guard(main)
