#!/usr/bin/env python3
"""`make measure`: take the figures of docs/performance.md on this machine and write them there.

Without options: render time, image sizes, install → Ready and a warm `make up`. With `--cold`: `make up` again with
every cache empty (tools, Go, images), in temporary folders that are removed afterwards.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import cluster
import images
import release
import up
from common import ROOT, log, main_guard, run, tool

PAGE = ROOT / "docs" / "performance.md"
RENDERS = 7


def seconds(action: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def render_cpu(helm: str) -> float:
    """Median CPU seconds of `helm template` with alpha values over `RENDERS` runs after a warm-up."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [tool(helm), "template", "triptych", str(ROOT), "--values", str(ROOT / "values-alpha.yaml")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    once()
    return statistics.median(once() for _ in range(RENDERS))


def warm() -> dict[str, float]:
    """Figures that need the caches filled."""
    target = release.TEST
    figures = {f"`helm template`, Helm {version} (CPU s, median of {RENDERS})": render_cpu(name)
               for name, version in (("helm", "4"), ("helm3", "3"))}  # fmt: skip
    built = images.build_all()
    for image in images.find_images():
        figures[f"image `{image.name}` (MB, uncompressed)"] = image.megabytes
    try:
        cluster.up(target.name, target.port, target.kubeconfig)
        cluster.load(target.name, built)
        figures["`helm install` to every pod Ready, images loaded (s)"] = seconds(lambda: release.install(target))
        figures["`make up`, nothing to change (s)"] = seconds(lambda: up.up(target))
    finally:
        cluster.down(target.name, target.kubeconfig)
    figures["`make up`, caches warm, no cluster (s)"] = seconds(lambda: make_up(os.environ))
    return figures


def make_up(environment: dict[str, str]) -> None:
    """`make up` and `make down` of the test cluster as a person would, in an environment."""
    chosen = dict(environment) | {"CLUSTER": "test"}
    try:
        run("make", "up", cwd=ROOT, env=chosen)
    finally:
        run(sys.executable, "ci/cluster.py", "down", "--name", release.TEST.name, cwd=ROOT, env=chosen)


def cold() -> dict[str, float]:
    """`make up` with empty caches of tools, Go modules, Go builds, images and packages."""
    with tempfile.TemporaryDirectory(prefix="triptych-cold-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        storage = folder / "storage.conf"
        storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n')
        environment = {
            "TRIPTYCH_CACHE": f"{folder}/cache", "GOCACHE": f"{folder}/go-build", "GOMODCACHE": f"{folder}/go-mod",
            "GOFLAGS": "-modcacherw", "PIP_CACHE_DIR": f"{folder}/pip", "npm_config_cache": f"{folder}/npm",
            "CONTAINERS_STORAGE_CONF": str(storage),
        }  # fmt: skip
        return {"`make up`, every cache empty (s)": seconds(lambda: make_up(environment))}


def known() -> dict[str, tuple[str, str]]:
    """Rows that the page holds already: figure and day by description."""
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE) if PAGE.exists() else []
    return {what: (figure, day) for what, figure, day in rows if what != "what"}


def page(rows: dict[str, tuple[str, str]]) -> str:
    """The document, from figure and day by description."""
    table = "\n".join(f"| {what} | {figure} | {day} |" for what, (figure, day) in rows.items())
    others = "\n".join(f"- [{title(path)}]({path.name})" for path in sorted(PAGE.parent.glob("performance-*.md")))
    return (
        "# Performance\n\n"
        f"Measured with {os.cpu_count()} cores on Linux {platform.release()} by `make measure`; `python3 ci/measure.py"
        " --cold` takes the cold figure. Shared machines are noisy: compare within one day.\n\n"
        f"| what | figure | measured |\n|---|---:|---|\n{table}\n" + (f"\n{others}\n" if others else "")
    )


def title(path: Path) -> str:
    return path.read_text().splitlines()[0].removeprefix("# ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold", action="store_true", help="run only `make up` with every cache empty (half an hour)")
    options = parser.parse_args()
    figures = cold() if options.cold else warm()
    day = date.today().isoformat()
    rows = known() | {what: (f"{value:.{2 if value < 10 else 0}f}", day) for what, value in figures.items()}
    PAGE.write_text(page(rows))
    log(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main_guard(main)
