"""The database that `make dev` takes."""

import pytest

import dev
from common import CiError


@pytest.mark.parametrize("wanted", [None, "", "sqlite"])
def test_sqlite_is_the_default_and_starts_nothing(monkeypatch, wanted):
    monkeypatch.setattr(dev, "engine", lambda: pytest.fail("no container is needed"))
    monkeypatch.delenv("DB_TYPE", raising=False)
    if wanted is not None:
        monkeypatch.setenv("DB_TYPE", wanted)
    assert dev.database() == {"DB_TYPE": "sqlite", "DB_SQLITE_PATH": str(dev.STATE / "triptych.sqlite")}


class FakeEngine:
    def __init__(self, exists):
        self.exists, self.calls = exists, []

    def succeeds(self, *_):
        return self.exists

    def run(self, *arguments, **_):
        self.calls.append(arguments)


@pytest.mark.parametrize("exists", [False, True])
def test_mysql_is_a_container_that_stays(monkeypatch, tmp_path, exists):
    fake = FakeEngine(exists)
    monkeypatch.setattr(dev, "engine", lambda: fake)
    monkeypatch.setattr(dev, "STATE", tmp_path)
    monkeypatch.setattr(dev.images, "build_all", lambda names: None)
    monkeypatch.setenv("DB_TYPE", "mysql")
    variables = dev.database()
    assert [call[0] for call in fake.calls] == (["start"] if exists else ["run", "start"])
    assert dev.database() == variables
    password = tmp_path / "mariadb-password"
    assert variables["DB_PASSWORD_FILE"] == str(password) and password.stat().st_mode & 0o777 == 0o600
    assert not [part for call in fake.calls for part in call if password.read_text() in part]


def test_another_database_is_refused_in_one_line(monkeypatch):
    monkeypatch.setenv("DB_TYPE", "oracle")
    with pytest.raises(CiError, match="DB_TYPE is 'oracle'; make dev takes sqlite .* or mysql"):
        dev.database()
