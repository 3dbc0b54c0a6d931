"""What `helm package` ships and what Helm stores."""

from __future__ import annotations

import base64
import gzip
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from rendering import CI_FILES, ROOT, VALUES_FILES, render_text

from common import tool

SHIPPED = re.compile(
    r"triptych/((Chart\.(yaml|lock)|values(-\w+)?\.yaml|values\.schema\.json|LICENSE|README\.md|\.helmignore)"
    r"|templates/.*|charts/[\w-]+/(Chart\.yaml|values\.yaml|values\.schema\.json|templates/.*|files/.*))"
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    subprocess.run([tool("helm"), "package", ROOT, "--destination", folder], check=True, capture_output=True)
    (archive,) = folder.iterdir()
    return archive


def test_package_holds_the_chart_alone(package: Path) -> None:
    with tarfile.open(package) as archive:
        names = archive.getnames()
    assert [name for name in names if not SHIPPED.fullmatch(name)] == []
    for needed in ("triptych/Chart.lock", "triptych/values-production.yaml", "triptych/charts/common/Chart.yaml"):
        assert needed in names


def test_package_leaves_out_what_git_ignores() -> None:
    """`helm package` reads .helmignore alone: what builds leave in a used work tree would be shipped."""
    git, helm = ((ROOT / name).read_text().splitlines() for name in (".gitignore", ".helmignore"))
    hidden_or_below = (".", "#", "images/")  # .helmignore leaves out every hidden file and /images/ whole
    assert [line for line in git if not line.startswith(hidden_or_below) and line not in helm] == []


def test_package_is_small(package: Path) -> None:
    assert package.stat().st_size < 200_000


def test_package_renders_as_the_clone(package: Path) -> None:
    assert render_text(chart=package) == render_text()


@pytest.mark.parametrize("file", [*VALUES_FILES, *CI_FILES])
def test_release_is_far_below_the_limit_of_a_secret(file: str, package: Path) -> None:
    """Helm stores chart and manifest, compressed, in base64, in one Secret of at most 1 MiB."""
    stored = base64.b64encode(gzip.compress(package.read_bytes() + render_text((file,)).encode()))
    assert len(stored) < 300_000


def test_lock_is_current() -> None:
    chart = yaml.safe_load((ROOT / "Chart.yaml").read_text())
    lock = yaml.safe_load((ROOT / "Chart.lock").read_text())
    names = [(entry["name"], entry["version"], entry["repository"]) for entry in chart["dependencies"]]
    assert [(entry["name"], entry["version"], entry["repository"]) for entry in lock["dependencies"]] == names


def test_dependencies_are_in_the_tree() -> None:
    result = subprocess.run([tool("helm"), "dependency", "list", ROOT], check=True, capture_output=True, text=True)
    states = [line.split()[-1] for line in result.stdout.splitlines()[1:] if line.strip()]
    assert states and set(states) == {"unpacked"}


def test_lint_is_clean() -> None:
    command = [tool("helm"), "lint", ROOT, "--strict", "--values", ROOT / "values-alpha.yaml"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
