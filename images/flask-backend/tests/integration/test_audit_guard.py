"""A MariaDB or MySQL server that does not let the backend make triggers: it works all the same, and says so."""

from __future__ import annotations

import pytest
from api_client import make_settings
from servers import MARIADB, MYSQL, ServerContainer

from backend.database.migrate import migrate
from backend.database.migrations import required_version
from backend.doctor import OK, WARNING, examine

TRUST = "log_bin_trust_function_creators"


@pytest.fixture(params=[MARIADB, MYSQL], ids=lambda recipe: recipe.image)
def distrusting(request):
    """A server that writes a binary log and trusts nobody with triggers."""
    arguments = ("--log-bin", "--server-id=1", f"--{TRUST.replace('_', '-')}=OFF")
    with ServerContainer(request.param, arguments) as running:
        yield running


def guard(settings) -> tuple[str, str]:
    """State and fix that `backend doctor` tells."""
    return next((found.state, found.fix) for found in examine(settings) if found.name == "audit guard")


def test_without_the_privilege_it_migrates_and_tells(distrusting):
    settings, lines = make_settings(**distrusting.settings), []
    assert migrate(settings, 60, lines.append) == required_version()
    assert [line for line in lines if "1419" in line and "backend doctor" in line]
    state, fix = guard(settings)
    assert state == WARNING
    assert "GRANT TRIGGER ON triptych.* TO triptych" in fix and TRUST in fix
    # What it says is what helps.
    distrusting.as_root(f"SET GLOBAL {TRUST} = 1")
    lines.clear()
    migrate(settings, 60, lines.append)
    assert not [line for line in lines if "trigger" in line]
    assert guard(settings) == (OK, "")


def test_without_the_trigger_privilege_at_all(distrusting):
    distrusting.as_root(f"SET GLOBAL {TRUST} = 1; REVOKE TRIGGER ON triptych.* FROM triptych@'%'")
    settings, lines = make_settings(**distrusting.settings), []
    assert migrate(settings, 60, lines.append) == required_version()
    assert [line for line in lines if "1142" in line]
    assert guard(settings)[0] == WARNING
