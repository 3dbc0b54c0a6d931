#!/usr/bin/env python3
"""Regenerate what is made from the chart: `overlays/base` and `docs/operators/values.md`.

`python3 ci/render.py` writes them; `--check` writes nothing and fails when they differ.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from common import ROOT, CiError, log, main_guard, output, run, tool

BASE = Path("overlays/base")
VALUES = Path("docs/operators/values.md")
HEADER = "# Rendered from the chart with values-alpha.yaml by `make render`: change the chart, not this file.\n"
# A release name and namespace show in labels and in one RoleBinding.
RELEASE = NAMESPACE = "triptych"
SOURCE = re.compile(r"^# Source: triptych/(?:charts/([\w-]+)/)?templates/\S+\n", re.MULTILINE)


def base() -> dict[Path, str]:
    """Files of `overlays/base` and their text: one of manifests for each chart, and the kustomization."""
    rendered = output(
        tool("helm"), "template", RELEASE, ROOT, "--namespace", NAMESPACE,
        "--values", ROOT / "values-alpha.yaml", "--skip-tests",
    )  # fmt: skip
    documents: dict[str, list[str]] = {}
    for document in re.split(r"^---\n", rendered, flags=re.MULTILINE):
        if match := SOURCE.search(document):
            documents.setdefault(match[1] or "platform", []).append(SOURCE.sub("", document).strip() + "\n")
    files = {BASE / f"{chart}.yaml": HEADER + "---\n" + "---\n".join(parts) for chart, parts in documents.items()}
    resources = "".join(f"  - {path.name}\n" for path in sorted(files))
    kind = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return files | {BASE / "kustomization.yaml": f"{HEADER}{kind}resources:\n{resources}"}


def values() -> dict[Path, str]:
    """The page of every value, made by helm-docs from the comments in the values files."""
    template = ROOT / "ci" / "values.md.gotmpl"
    with tempfile.TemporaryDirectory(prefix="triptych-docs-") as directory:
        charts = Path(directory)
        copy_charts(charts)
        run(
            tool("helm-docs"), "--chart-search-root", charts, "--template-files", template, "--output-file", "VALUES.md",
            "--sort-values-order", "file", "--log-level", "error", quiet=True,
        )  # fmt: skip
        pages = [charts / "VALUES.md", *sorted(charts.glob("charts/*/VALUES.md"))]
        # The library chart has no values.
        text = "\n".join(page.read_text().strip() + "\n" for page in pages if "| Key |" in page.read_text())
    return {VALUES: text}


def copy_charts(target: Path) -> None:
    """Copy what helm-docs reads, so that it writes nothing into the work tree and walks no other folder."""
    for path in [ROOT, *(ROOT / "charts").iterdir()]:
        folder = target / path.relative_to(ROOT)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("Chart.yaml", "values.yaml"):
            if (path / name).exists():
                shutil.copy(path / name, folder / name)


def stale(files: dict[Path, str]) -> list[str]:
    """Names of files that are missing, differ, or lie in `overlays/base` without being rendered any more."""
    changed = {path for path, text in files.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text}
    left = {path.relative_to(ROOT) for path in (ROOT / BASE).glob("*")} - files.keys()
    return sorted(str(path) for path in changed | left)


def write(files: dict[Path, str]) -> None:
    """Write the files and delete those of `overlays/base` that are no longer rendered."""
    for path in (ROOT / BASE).glob("*"):
        if path.relative_to(ROOT) not in files:
            path.unlink()
    for path, text in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when a file is not what the chart renders")
    check = parser.parse_args().check
    files = base() | values()
    names = stale(files)
    if check and names:
        raise CiError(f"not what the chart renders: {', '.join(names)}; run: make render")
    if not check:
        write(files)
    log(f"{len(names)} of {len(files)} files rewritten" if not check else f"{len(files)} files are current")


if __name__ == "__main__":
    main_guard(main)
