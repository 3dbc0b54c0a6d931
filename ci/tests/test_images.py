"""Which images are rebuilt, what their build gets and what Helm is told."""

import subprocess
from pathlib import Path

import pytest
import yaml

import images
from common import VERSIONS, CiError
from images import Image


class FakeEngine:
    """Remembers the calls; an image exists once it was tagged or built."""

    name = "podman"

    def __init__(self):
        self.references, self.calls, self.context = set(), [], set()

    def image_id(self, reference):
        return "sha256:1" if reference in self.references else ""

    def output(self, *arguments):
        return "5000000"

    def run(self, *arguments, **_):
        self.calls.append(arguments)
        if arguments[0] == "build":
            context = Path(arguments[-1])
            self.context = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
            self.references.add(arguments[arguments.index("--tag") + 1])

    def builds(self):
        return [call for call in self.calls if call[0] == "build"]


@pytest.fixture
def fake_engine(monkeypatch):
    fake = FakeEngine()
    monkeypatch.setattr(images, "engine", lambda: fake)
    monkeypatch.setattr(images, "architecture", lambda: "amd64")
    monkeypatch.setattr(images, "ensure_base", lambda arch="amd64": f"base-{arch}")
    return fake


@pytest.fixture
def folder(monkeypatch, tmp_path, fake_engine):
    """The folder of the only image, in a git repository that ignores `*.log`."""
    monkeypatch.setattr(images, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(images, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(images, "VALUES_FILE", tmp_path / "build" / "images.yaml")
    folder = tmp_path / "images" / "mariadb"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("*.log\n")
    (folder / "Containerfile").write_text("FROM scratch\nARG VERSION\nARG GO_TOOLCHAIN=go1 TARGETARCH\n")
    (folder / "entrypoint").write_text("#!/bin/sh\n")
    return folder


def tag(arch: str = "amd64") -> str:
    return Image("mariadb", arch).tag


def test_tag_stays_with_the_content(folder):
    before = tag()
    (folder / "entrypoint").touch()
    (folder / "debug.log").write_text("noise")
    assert tag() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "entrypoint").write_text("#!/bin/bash\n"),
        lambda folder: (folder / "entrypoint").chmod(0o755),
        lambda folder: (folder / "entrypoint").rename(folder / "start"),
        lambda folder: (folder / "entrypoint").unlink(),
        lambda folder: (folder / "new").write_text(""),
    ],
    ids=["text", "mode", "name", "less", "more"],
)
def test_tag_changes_with_the_content(folder, change):
    before = tag()
    change(folder)
    assert tag() != before


def test_tag_changes_with_a_version_the_containerfile_declares(folder, monkeypatch):
    before = tag()
    monkeypatch.setitem(images.VERSIONS, "NODE_VERSION", "0")
    assert tag() == before
    monkeypatch.setitem(images.VERSIONS, "GO_TOOLCHAIN", "go0")
    assert tag() != before


def test_declared_versions_become_arguments(folder):
    expected = {"VERSION": VERSIONS["PLATFORM_VERSION"], "GO_TOOLCHAIN": VERSIONS["GO_TOOLCHAIN"]}
    assert Image("mariadb", "amd64").arguments == expected


def test_build_gets_only_files_that_git_does_not_ignore(folder, fake_engine):
    (folder / "debug.log").write_text("noise")
    (folder / "src").mkdir()
    (folder / "src" / "main.c").write_text("")
    images.build_all()
    assert fake_engine.context == {"Containerfile", "entrypoint", "src/main.c"}


@pytest.mark.parametrize("tracked", [True, False])
def test_files_that_containerignore_names_change_nothing(folder, tracked):
    (folder / ".containerignore").write_text("/tests\n")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text("")
    if tracked:
        subprocess.run(["git", "add", "."], cwd=folder, check=True)
    before = tag()
    (folder / "tests" / "test_it.py").write_text("assert True\n")
    assert tag() == before


def test_second_build_does_nothing(folder, fake_engine):
    images.build_all()
    images.build_all()
    assert len(fake_engine.builds()) == 1


def test_values_name_the_component_of_the_chart(folder, fake_engine):
    references = images.build_all()
    values = yaml.safe_load(images.VALUES_FILE.read_text())
    assert values == {"mysql": {"image": {"tag": tag()}}}
    version = VERSIONS["PLATFORM_VERSION"]
    assert references == [f"localhost/triptych/mariadb:{tag()}", f"localhost/triptych/mariadb:{version}"]


def test_foreign_architecture_is_kept_apart(folder, fake_engine):
    with (folder / "Containerfile").open("a") as file:
        file.write("ARG BASE_IMAGE=debian\n")
    references = images.build_all(arch="arm64")
    assert all(reference.endswith("-arm64") for reference in references)
    assert yaml.safe_load(images.VALUES_FILE.read_text()) is None
    command = fake_engine.builds()[0]
    assert {"BASE_IMAGE=base-arm64", "BUILDPLATFORM=linux/amd64", "TARGETARCH=arm64"} <= set(command)


def test_what_only_cross_compiles_needs_no_foreign_base(folder, fake_engine, monkeypatch):
    asked = []
    monkeypatch.setattr(images, "ensure_base", lambda arch="amd64": asked.append(arch) or f"base-{arch}")
    images.build_all(arch="arm64")
    assert asked == ["amd64"]
    assert not any("BASE_IMAGE" in word for word in fake_engine.builds()[0])


def test_unknown_image_names_the_known_ones(folder):
    with pytest.raises(CiError, match="no image oracle; choose from: mariadb"):
        images.build_all(["oracle"])


def test_a_test_image_is_built_by_name_only_and_never_deployed(folder, fake_engine, monkeypatch):
    test_folder = folder / "tests" / "extra"
    test_folder.mkdir(parents=True)
    (test_folder / "Containerfile").write_text("FROM scratch\n")
    monkeypatch.setattr(images, "TEST_IMAGES", {"extra": "mariadb/tests/extra"})
    images.build_all()
    assert len(fake_engine.builds()) == 1
    images.build_all(["extra"])
    assert fake_engine.context == {"Containerfile"}
    assert set(yaml.safe_load(images.VALUES_FILE.read_text())) == {"mysql"}
