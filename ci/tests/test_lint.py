"""A failing linter fails the command and shows why; the others still run."""

import sys

import pytest

import lint
from common import ROOT, CiError


@pytest.fixture
def linters(monkeypatch):
    """Replaces the linters by commands of this Python, one code line for each command."""

    def install(**code: list[str]) -> None:
        made = {
            name: lambda lines=lines: (([sys.executable, "-c", line], ROOT) for line in lines)
            for name, lines in code.items()
        }
        monkeypatch.setattr(lint, "LINTERS", made)
        monkeypatch.setattr(sys, "argv", ["lint.py"])

    return install


def test_failure_is_shown_and_the_rest_still_runs(linters, tmp_path, capsys):
    witness = tmp_path / "ran"
    linters(bad=["print('line 7 is wrong'); exit(3)", "pass"], good=[f"open({str(witness)!r}, 'w')"])
    with pytest.raises(CiError, match="1 of 2 linters failed: bad$"):
        lint.main()
    assert witness.exists()
    assert "line 7 is wrong" in capsys.readouterr().out


def test_passing_linters_print_no_output_of_theirs(linters, capsys):
    linters(good=["print('chatter')"])
    lint.main()
    assert capsys.readouterr().out == ""


def test_unknown_linter_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lint.py", "rough"])
    with pytest.raises(CiError, match="no linter named rough; there are: binaries, ruff"):
        lint.main()


def test_shell_scripts_are_found_by_name_and_first_line():
    scripts = {str(path) for path in lint.files() if lint.is_shell(path)}
    assert {"ci/prerequisites.sh", ".ci/run", "images/redis/entrypoint"} <= scripts
    assert "ci/tools.py" not in scripts


@pytest.mark.parametrize(
    ("linter", "name", "text"),
    [
        ("binaries", "wrong-1.0-py3-none-any.whl", "PK\x03\x04\x00"),
        ("ruff", "wrong.py", "import os\n"),
        ("yamllint", "wrong.yaml", "a: 1\na: 2\n"),
        ("shell", "wrong.sh", "#!/bin/sh\nrm $1/*\n"),
    ],
)
def test_linters_refuse_what_is_wrong(monkeypatch, capsys, linter: str, name: str, text: str):
    """The real programs with the real configuration, on one wrong file beside the right ones."""
    wrong = ROOT / ".build" / "lint" / name
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_text(text)
    monkeypatch.setattr(lint, "files", lambda: [wrong.relative_to(ROOT)])
    commands = [(["ruff", "check", "--no-respect-gitignore", str(wrong)], ROOT)]
    if linter == "ruff":
        monkeypatch.setitem(lint.LINTERS, "ruff", lambda: iter(commands))
    try:
        assert not lint.passes(linter)
    finally:
        wrong.unlink()
    assert name in capsys.readouterr().out
