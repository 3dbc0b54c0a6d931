"""Files in the cache are whole or absent, and keys follow contents."""

import pytest

from cache import cached_file, content_key


def test_a_file_is_made_once(tmp_path):
    made = []

    def make(path):
        made.append(path)
        path.write_text("x")

    assert cached_file(tmp_path / "f", make) == cached_file(tmp_path / "f", make)
    assert len(made) == 1


def test_a_failed_make_leaves_nothing_and_the_next_starts_clean(tmp_path):
    def fail(path):
        path.mkdir()
        (path / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cached_file(tmp_path / "folder", fail)
    assert not (tmp_path / "folder").exists()
    cached_file(tmp_path / "folder", lambda path: path.mkdir())
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("change", ["content", "name", "executable", "extra"])
def test_the_key_follows_every_change(tmp_path, change):
    path = tmp_path / "a"
    path.write_text("x")
    before = content_key(tmp_path)
    assert content_key(tmp_path) == before
    if change == "content":
        path.write_text("y")
    elif change == "name":
        path.rename(tmp_path / "b")
    elif change == "executable":
        path.chmod(0o755)
    assert content_key(tmp_path, extra="v2" if change == "extra" else "") != before
