"""Check that the database itself keeps the audit log append-only."""

from __future__ import annotations

from collections.abc import Iterator

from backend.context import Services
from backend.database.session import fetch
from backend.doctor.report import OK, WARNING, WRONG, Finding

_TRIGGERS = {
    "postgresql": "SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'audit_events'::regclass AND tgenabled <> 'D'",
    "mysql": "SELECT trigger_name AS name FROM information_schema.triggers"
    " WHERE event_object_schema = DATABASE() AND event_object_table = 'audit_events'",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'",
}
_NEEDED = {
    "postgresql": {"audit_events_append_only"},
    "mysql": {"audit_events_no_update", "audit_events_no_delete"},
    "sqlite": {"audit_events_append_only", "audit_events_no_delete"},
}
_FIX = (
    "run: backend migrate; if that says why not, first as an administrator of the server: GRANT TRIGGER ON {database}.* TO {user}; where it writes a binary log also"
    " SET GLOBAL log_bin_trust_function_creators = 1"
)


def audit_guard(services: Services) -> Iterator[Finding]:
    """Without the triggers only the code is append-only."""
    engine = services.database.engine
    found = {row["name"] for row in services.database.read(lambda db: fetch(db, _TRIGGERS[engine]))}
    missing = _NEEDED[engine] - found
    if missing:
        fix = "run: backend migrate"
        if engine == "mysql":
            fix = _FIX.format(database=services.settings.db_name, user=services.settings.db_user)
        text = f"the database does not refuse changes to audit_events: {', '.join(sorted(missing))} missing"
        yield Finding("audit guard", WARNING, text, fix)
        return
    if engine != "postgresql" and services.database.read(lambda db: fetch(db, "SELECT id FROM audit_maintenance")):
        yield Finding("audit guard", WRONG, "everybody may delete audit events", "DELETE FROM audit_maintenance")
        return
    yield Finding("audit guard", OK, "the database refuses to change or delete events")


CHECKS = (audit_guard,)
