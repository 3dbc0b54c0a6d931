"""Rendering is pure, and an upgrade touches only what changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rendering import CI_FILES, ROOT, VALUES_FILES, Objects, parse, pod, render, render_text

every_file = pytest.mark.parametrize("file", [*VALUES_FILES, *CI_FILES])
IMMUTABLE = ("selector", "volumeClaimTemplates", "serviceName")
CHART = ("Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json", "templates", "charts", ".helmignore")


def copy_chart(target: Path) -> Path:
    """A copy of the chart alone."""
    for name in CHART:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target / name)
    return target


@pytest.fixture(scope="module")
def bumped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart at the next version of itself and of every subchart; the application's version stays."""
    chart = copy_chart(tmp_path_factory.mktemp("chart"))
    for path in [chart / "Chart.yaml", *chart.glob("charts/*/Chart.yaml")]:
        lines = [f"{line}9" if line.startswith("version: ") else line for line in path.read_text().splitlines()]
        path.write_text("\n".join(lines).replace("version: 0.1.0,", "version: 0.1.09,") + "\n")
    (chart / "Chart.lock").unlink()
    return chart


@every_file
def test_two_renders_are_equal(file: str) -> None:
    assert render_text((file,)) == render_text.__wrapped__((file,))


@every_file
def test_helm_3_and_4_render_the_same(file: str) -> None:
    assert sorted(map(str, render(file))) == sorted(map(str, render(file, helm="helm3")))


@every_file
def test_next_chart_version_restarts_no_pod(file: str, bumped: Path) -> None:
    old, new = render(file), Objects(parse(render_text((file,), chart=bumped)))
    assert [(o["kind"], o["metadata"]["name"]) for o in old] == [(o["kind"], o["metadata"]["name"]) for o in new]
    assert old != new, "the version shows nowhere"
    for before, after in zip(old, new):
        if before in old.workloads and before["kind"] != "Pod":
            assert pod(before) == pod(after)
        for key in IMMUTABLE:
            assert before.get("spec", {}).get(key) == after.get("spec", {}).get(key)


@every_file
def test_selectors_hold_only_what_never_changes(file: str) -> None:
    allowed = {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
    for workload in render(file).of("Deployment", "StatefulSet", "DaemonSet"):
        labels = workload["spec"]["selector"]["matchLabels"]
        assert labels.keys() == allowed or labels.keys() == {"app"}
        assert labels.items() <= workload["spec"]["template"]["metadata"]["labels"].items()


def migrate_job(**values) -> dict:
    return render(**values).find("Job", "flask-backend-migrate")


def test_new_pod_means_new_job() -> None:
    old = migrate_job()
    assert old == migrate_job(webui={"replicas": 3}), "an unrelated value changed the Job"
    new = migrate_job(flask_backend={"image": {"tag": "other"}})
    assert old["metadata"]["name"] != new["metadata"]["name"]


def test_jobs_with_the_same_name_are_the_same() -> None:
    """Applying again must never change a Job: its pod is immutable."""
    jobs: dict[str, dict] = {}
    for file in [*VALUES_FILES, *CI_FILES]:
        for job in render(file).of("Job"):
            assert jobs.setdefault(job["metadata"]["name"], job)["spec"] == job["spec"]


def test_migration_is_no_hook() -> None:
    assert "annotations" not in migrate_job()["metadata"]


def test_a_parameter_restarts_only_its_server() -> None:
    old, new = render(), render(redis={"maxMemory": "64mb"})
    changed = [a["metadata"]["name"] for a, b in zip(old, new) if a != b]
    assert changed == ["demo-redis"]
