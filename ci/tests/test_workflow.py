"""Continuous integration runs what a developer runs: `make test`, by way of `.ci/run`."""

import os
import subprocess

import yaml

from common import ROOT

RUN = ROOT / ".ci" / "run"


def test_the_run_script_calls_make_test(tmp_path):
    (tmp_path / "make").write_text('#!/bin/sh\necho "make $* in $PWD"\n')
    (tmp_path / "make").chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run([RUN], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == f"make test in {ROOT}"


def test_the_run_script_fails_when_the_tests_do(tmp_path):
    (tmp_path / "make").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "make").chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    assert subprocess.run([RUN], env=env, check=False).returncode == 3


def test_the_workflow_ends_with_the_run_script():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[-1].split()[-1] == ".ci/run"
    assert not any(step.get("continue-on-error") for step in job["steps"])
    assert {"push", "pull_request"} == workflow[True].keys()  # YAML reads `on` as true
