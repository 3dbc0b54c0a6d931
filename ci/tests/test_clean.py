"""What `make clean` chooses, and that it leaves everything else alone."""

import sys

import pytest

import clean
from common import CACHE, CiError
from images import Image

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
CURRENT = {f"localhost/triptych/webui:{KEY}", "localhost/triptych/webui:0.2.0", f"localhost/triptych/node:{KEY}"}


@pytest.mark.parametrize(
    "reference",
    [
        f"localhost/triptych/webui:{OTHER}",
        f"localhost/triptych/webui:{KEY}-arm64",
        "localhost/triptych/webui:0.1.0",
        "localhost/triptych/webui:0.1.0-arm64",
        f"localhost/triptych/node:{OTHER}",
    ],
)
def test_other_versions_of_own_images_are_stale(reference):
    assert clean.stale_images([*CURRENT, reference], CURRENT) == [reference]


@pytest.mark.parametrize(
    "reference",
    [
        *sorted(CURRENT),
        f"docker.io/library/webui:{OTHER}",
        f"registry.example.com/localhost/triptych/webui:{OTHER}",
        f"localhost/other/webui:{OTHER}",
        f"localhost/triptych/webui2:{OTHER}",
        f"localhost/triptych/shop:{OTHER}",
        "localhost/triptych/webui:latest",
        "localhost/triptych/webui:mine",
        "localhost/triptych/webui:0123456789abcde",
        "localhost/triptych/webui:<none>",
        "localhost/triptych/node-system:local",
        "localhost/triptych/engine-probe:1",
        "localhost/triptych/debian-arm64:trixie-slim",
        "<none>:<none>",
        "",
    ],
)
def test_current_images_and_those_of_others_stay(reference):
    assert clean.stale_images([reference], CURRENT) == []


def test_every_image_of_this_checkout_is_current():
    current = clean.current_images()
    for name in ("webui", "mariadb", "mysql"):  # the last for tests only
        for arch in ("amd64", "arm64"):
            assert {Image(name, arch).reference, Image(name, arch).release_reference} <= current
    assert not clean.stale_images(current, current)


def entries(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
    return [folder / name for name in names]


def test_entries_named_by_other_content_are_stale(tmp_path):
    none = {folder: set() for folder in clean.NAMED_BY_CONTENT}
    stale = entries(
        tmp_path, f"bin/{OTHER}", f"node-image/programs-{OTHER}", f"python/{OTHER}", "tools/kind-v1.2.3-0123abcd"
    )
    kept = [f"python/{KEY}", f"python/{KEY}.partial", "python/mine", "tools/kind", "base/x", OTHER]
    entries(tmp_path, *kept)
    entries(tmp_path, f"python/{OTHER}.partial/left-over")
    assert clean.stale_entries(tmp_path, {**none, "python": {KEY}}) == stale
    for path in stale:
        clean.remove_entry(path)
    assert [(tmp_path / name).exists() for name in kept] == [True] * len(kept)
    assert not [path for path in stale if path.exists() or path.with_name(f"{path.name}.partial").exists()]


def test_an_archive_of_another_node_image_is_removed(tmp_path):
    archive = tmp_path / "node-image" / f"{OTHER}.tar"
    archive.parent.mkdir()
    archive.write_text("")
    assert clean.stale_entries(tmp_path, clean.current_entries()) == [archive]
    clean.remove_entry(archive)
    assert not archive.exists()


def test_the_tools_that_run_this_are_current():
    assert not [path for path in clean.stale_entries(CACHE, clean.current_entries()) if sys.prefix == str(path)]


class FakeEngine:
    name = "podman"

    def __init__(self, listed, used=()):
        self.listed, self.used, self.removed = listed, used, []

    def output(self, *arguments):
        if arguments[0] == "images":
            return "" if "dangling=true" in arguments else "\n".join(self.listed)
        assert arguments[:2] == ("image", "rm") and len(arguments) == 3, "no --force: it would stop containers"
        if arguments[2] in self.used:
            raise CiError("image rm failed: image is in use by a container")
        self.removed.append(arguments[2])
        return ""


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(fake, *options):
        monkeypatch.setattr(clean, "engine", lambda: fake)
        monkeypatch.setattr(clean, "CACHE", tmp_path)
        monkeypatch.setattr(sys, "argv", ["clean.py", *options])
        clean.main()
        return fake.removed

    return run


STALE = f"localhost/triptych/webui:{KEY}"


def test_it_says_what_it_removes(run, capsys):
    assert run(FakeEngine([STALE, "docker.io/library/debian:12"])) == [STALE]
    assert f"removed {STALE}" in capsys.readouterr().err


def test_a_dry_run_removes_nothing(run, tmp_path, capsys):
    (entry,) = entries(tmp_path, f"python/{KEY}")
    assert run(FakeEngine([STALE]), "--dry-run") == []
    assert entry.exists()
    said = capsys.readouterr().err
    assert f"would remove {STALE}" in said and f"would remove {entry}" in said


def test_an_image_in_use_stays_and_ends_nothing(run, capsys):
    older = "localhost/triptych/webui:0.0.1"
    assert run(FakeEngine([older, STALE], used=[older])) == [STALE]
    assert f"kept {older}: image rm failed: image is in use by a container" in capsys.readouterr().err
