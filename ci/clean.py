#!/usr/bin/env python3
"""Remove the images and cache entries of this project that this checkout has no use for; `--dry-run` only names them.

What other projects made is never touched: an image goes only if its name and its tag are of the kinds that `ci/images.py`
and `ci/node_image.py` give, and no container uses it. What is removed by mistake, because another checkout of another
version uses the same engine and cache, is made again by that checkout's next command.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

import node_image
from base_image import EMULATORS
from cache import locked, remove
from common import CACHE, ROOT, CiError, log, main_guard, python_home, tools_key
from engine import engine
from go_tools import GO_TOOLS
from images import REPOSITORY, TEST_IMAGES, find_images

KEY = "[0-9a-f]{16}"
TAG = re.compile(rf"(?:{KEY}|\d+\.\d+\.\d+)(?:-(?:{'|'.join(EMULATORS)}))?")
REQUIREMENTS = ("ci/python/requirements*.txt", "images/*/requirements*.txt", "tests/performance/*/requirements*.txt")
# Entries of each folder of the cache that are named by what they are made from; locks and all others stay.
NAMED_BY_CONTENT = {
    "bin": re.compile(KEY),
    "python": re.compile(KEY),
    "tools": re.compile(r".+-v\d[^/]*-[0-9a-f]{8}"),
    "node-image": re.compile(rf"{KEY}\.tar|programs-{KEY}"),
}


def current_images() -> set[str]:
    """References that this checkout builds or may have built, for every architecture."""
    names = [image.name for image in find_images()] + [*TEST_IMAGES]
    images = [image for arch in EMULATORS for image in find_images(names, arch)]
    return {reference for image in images for reference in (image.reference, image.release_reference)} | {
        node_image.reference()
    }


def stale_images(listed: Iterable[str], current: set[str]) -> list[str]:
    """The listed references that earlier or other versions of the current images had.

    Args:
        listed: every reference that the engine knows.
        current: the references in use.
    """
    own = {reference.rpartition(":")[0] for reference in current}

    def is_stale(reference: str) -> bool:
        name, _, tag = reference.rpartition(":")
        return name in own and bool(TAG.fullmatch(tag)) and reference not in current

    return sorted(filter(is_stale, set(listed)))


def current_entries() -> dict[str, set[str]]:
    """Names that this checkout uses, by folder of the cache."""
    requirements = [path for pattern in REQUIREMENTS for path in ROOT.glob(pattern)]
    return {
        "bin": {tools_key()},
        "python": {python_home(path).name for path in requirements},
        "tools": {tool.binary.parent.name for tool in GO_TOOLS},
        "node-image": {f"{node_image.image_key()}.tar", node_image.programs_folder().name},
    }


def stale_entries(cache: Path, current: dict[str, set[str]]) -> list[Path]:
    """Files and folders of the cache that are named by content, but not by that of this checkout."""
    return sorted(
        path
        for folder, shape in NAMED_BY_CONTENT.items()
        for path in (cache / folder).glob("*")
        if shape.fullmatch(path.name) and path.name not in current[folder]
    )


def remove_entry(path: Path) -> None:
    """Remove a cache entry while nobody makes it; its empty lock stays, for others may be waiting for it."""
    with locked(path):
        partial = path.with_name(f"{path.name}.partial")
        remove(partial)
        remove(path.rename(partial))  # half removed under its own name it would be taken for whole
    log(f"removed {path}")


def remove_image(reference: str) -> None:
    """Take a name from an image, and remove the image with its last name, unless a container uses it."""
    try:
        engine().output("image", "rm", reference)
    except CiError as error:
        log(f"kept {reference}: {str(error).splitlines()[-1]}")
    else:
        log(f"removed {reference}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="only name what would be removed")
    dry = parser.parse_args().dry_run
    entries = stale_entries(CACHE, current_entries())
    listed = engine().output("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={REPOSITORY}/*")
    stale = stale_images(listed.splitlines(), current_images())
    for path in entries:
        log(f"would remove {path}") if dry else remove_entry(path)
    for reference in stale:
        log(f"would remove {reference}") if dry else remove_image(reference)
    untagged = engine().output("images", "--quiet", "--filter", "dangling=true").split()
    done = "to remove" if dry else "removed, unless kept above"
    log(f"{len(stale)} images and {len(entries)} cache entries {done}; what is current stays")
    if untagged:
        log(
            f"{len(set(untagged))} images without a name stay: left-overs of builds, which cannot be told from those of"
            f" other projects; remove all of them by: {engine().name} image prune"
        )


if __name__ == "__main__":
    main_guard(main)
