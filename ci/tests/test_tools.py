"""A tool is built completely or not at all, and only as `ci/versions.env` pins it."""

import subprocess
import sys
from dataclasses import replace

import pytest

import common
import go_tools
from go_tools import GO_TOOLS, GoTool

TOOLS = {tool.name: tool for tool in GO_TOOLS}


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(go_tools, "CACHE", tmp_path)
    return tmp_path


def test_failed_build_leaves_nothing_behind(cache):
    with pytest.raises(common.CiError, match="go install"):
        go_tools.build(GoTool("absent", "v0.0.1", "localhost/absent"))
    assert [path for path in (cache / "tools").rglob("absent") if path.is_file()] == []
    assert not go_tools.GoTool("absent", "v0.0.1", "localhost/absent").binary.parent.exists()


def test_built_tool_is_left_alone(cache):
    tool = TOOLS["kind"]
    tool.binary.parent.mkdir(parents=True)
    tool.binary.touch()
    assert not go_tools.build(tool)


def test_changed_recipe_has_another_place():
    tool = TOOLS["helm"]
    assert replace(tool, variables=()).binary != tool.binary
    assert replace(tool, version="v4.0.0").binary != tool.binary


@pytest.mark.parametrize("name", [tool.name for tool in GO_TOOLS if tool.wrapped])
def test_wrapper_modules_agree_with_the_pins(name: str):
    go_tools.check_pin(TOOLS[name])
    with pytest.raises(common.CiError, match=rf"go -C ci/tools/{name} get "):
        go_tools.check_pin(replace(TOOLS[name], version="v0.1.2"))


def test_every_tool_tells_its_pinned_version():
    """The programs of this work tree's set are the ones pinned, seen by running them."""
    arguments = {
        "helm": ["version", "--short"],
        "helm3": ["version", "--short"],
        "kubeconform": ["-v"],
        "kubectl": ["version", "--client"],
        "helm-docs": ["--version"],
        "kwok": ["--version"],
    }
    for name, tool in TOOLS.items():
        command = [common.tool(name), *arguments.get(name, ["version"])]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        pinned = common.VERSIONS["KUBERNETES_VERSION"] if name == "kubectl" else tool.version
        assert pinned in told, (name, told)


def test_helm3_renders_for_a_current_kubernetes(tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text('{apiVersion: v2, name: probe, version: 0.1.0, kubeVersion: ">=1.33.0-0"}')
    for helm in ("helm", "helm3"):
        subprocess.run([common.tool(helm), "template", tmp_path], check=True, capture_output=True)


def test_unknown_name_is_refused():
    result = subprocess.run(
        [sys.executable, common.ROOT / "ci" / "tools.py", "helmet"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: no tool named helmet; there are: helm")
    assert len(result.stderr.splitlines()) == 1
