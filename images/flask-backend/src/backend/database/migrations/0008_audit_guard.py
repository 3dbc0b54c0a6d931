"""Every engine keeps the audit log append-only, also against DELETE: before, SQLite and MySQL left that to the code.

Whoever may delete (`backend.audit.service.deletes_allowed`) says so by a row in `audit_maintenance`, which is gone
again before the transaction ends: no other connection ever sees it. PostgreSQL has a setting of the transaction.
"""

_TABLE = "CREATE TABLE IF NOT EXISTS audit_maintenance (id {integer} NOT NULL PRIMARY KEY) {table_options}"
_GUARD_SQLITE = """
    CREATE TRIGGER IF NOT EXISTS audit_events_no_delete BEFORE DELETE ON audit_events
    WHEN NOT EXISTS (SELECT 1 FROM audit_maintenance)
    BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END
"""
_REFUSE_MYSQL = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'audit_events is append-only'"

UP = [{"mysql": _TABLE, "sqlite": _TABLE}, {"sqlite": _GUARD_SQLITE}]

GUARDS = [
    {
        "mysql": "CREATE TRIGGER IF NOT EXISTS audit_events_no_update BEFORE UPDATE ON audit_events"
        f" FOR EACH ROW {_REFUSE_MYSQL}"
    },
    {
        "mysql": "CREATE TRIGGER IF NOT EXISTS audit_events_no_delete BEFORE DELETE ON audit_events"
        f" FOR EACH ROW IF NOT EXISTS (SELECT 1 FROM audit_maintenance) THEN {_REFUSE_MYSQL}; END IF"
    },
]

DOWN = [
    {"mysql": "DROP TRIGGER IF EXISTS audit_events_no_update"},
    {
        "mysql": "DROP TRIGGER IF EXISTS audit_events_no_delete",
        "sqlite": "DROP TRIGGER IF EXISTS audit_events_no_delete",
    },
    {"mysql": "DROP TABLE IF EXISTS audit_maintenance", "sqlite": "DROP TABLE IF EXISTS audit_maintenance"},
]
