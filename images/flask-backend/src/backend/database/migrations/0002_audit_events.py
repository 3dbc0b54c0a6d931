"""The audit log. Its rows name users without a foreign key: they outlive them."""

_REFUSE_POSTGRESQL = """
    CREATE OR REPLACE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND current_setting('triptych.audit_maintenance', true) = 'on' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'audit_events is append-only';
    END $$
"""
_GUARD_POSTGRESQL = """
    CREATE OR REPLACE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse()
"""
_GUARD_SQLITE = """
    CREATE TRIGGER IF NOT EXISTS audit_events_append_only BEFORE UPDATE ON audit_events
    BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END
"""

UP = [
    # The id is a UUID of version 7, so that its order is the order of time on every engine and shard.
    """
    CREATE TABLE IF NOT EXISTS audit_events (
        id VARCHAR(36) NOT NULL PRIMARY KEY,
        occurred_at {datetime} NOT NULL,
        actor_id {integer},
        actor VARCHAR(254) NOT NULL,
        credential VARCHAR(60) NOT NULL,
        action VARCHAR(60) NOT NULL,
        target_type VARCHAR(40) NOT NULL,
        target_id VARCHAR(254) NOT NULL,
        address VARCHAR(45) NOT NULL,
        request_id VARCHAR(64) NOT NULL,
        details TEXT NOT NULL
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS audit_events_actor ON audit_events (actor, id)",
    "CREATE INDEX IF NOT EXISTS audit_events_action ON audit_events (action, id)",
    "CREATE INDEX IF NOT EXISTS audit_events_target ON audit_events (target_type, target_id, id)",
    "CREATE INDEX IF NOT EXISTS audit_events_request ON audit_events (request_id)",
    # What MySQL and MariaDB have is in migration 8: there a trigger may need a privilege that we have not.
    {"postgresql": _REFUSE_POSTGRESQL},
    {"postgresql": _GUARD_POSTGRESQL, "sqlite": _GUARD_SQLITE},
]

DOWN = [
    "DROP TABLE IF EXISTS audit_events",
    {"postgresql": "DROP FUNCTION IF EXISTS audit_events_refuse"},
]
