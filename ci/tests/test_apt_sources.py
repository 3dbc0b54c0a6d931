"""The mirrors of another suite are those of the host."""

import pytest

from apt_sources import Source, host_sources, sources_for

ONE_LINE = """
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb http://vendor.example/apt bookworm stable
"""
STANZAS = """
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main contrib

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://vendor.example/nodistro
Suites: nodistro
Components: main
"""


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    return tmp_path


def test_both_formats_give_the_same_mirror_once(etc):
    (etc / "sources.list").write_text(ONE_LINE)
    (etc / "sources.list.d" / "debian.sources").write_text(STANZAS)
    lines = [line.split("] ")[1] for line in sources_for("trixie", etc, etc / "os-release")]
    assert lines == [
        "http://mirror.example/debian trixie main",
        "http://mirror.example/debian trixie-updates main",
        "http://mirror.example/security trixie-security main",
    ]


def test_one_line_options_comments_and_sources_are_left_out(etc):
    (etc / "sources.list").write_text(ONE_LINE)
    assert host_sources(etc) == [Source("http://mirror.example/debian", "bookworm")]


def test_another_distribution_gives_no_mirror(etc):
    (etc / "sources.list").write_text(ONE_LINE)
    (etc / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=bookworm\n")
    assert sources_for("trixie", etc, etc / "os-release") == []


def test_without_the_main_suite_there_is_no_mirror(etc):
    (etc / "sources.list").write_text("deb http://mirror.example/security bookworm-security main\n")
    assert sources_for("trixie", etc, etc / "os-release") == []
