"""Tenants, and shards: which databases hold events besides the primary, and what is on its way between them."""

UP = [
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS tenant VARCHAR(40) NOT NULL DEFAULT 'default'",
    "ALTER TABLE audit_events ADD COLUMN IF NOT EXISTS tenant VARCHAR(40) NOT NULL DEFAULT 'default'",
    "ALTER TABLE events ADD COLUMN IF NOT EXISTS tenant VARCHAR(40) NOT NULL DEFAULT 'default'",
    "CREATE INDEX IF NOT EXISTS audit_events_tenant ON audit_events (tenant, id)",
    "CREATE INDEX IF NOT EXISTS events_tenant ON events (tenant, id)",
    # On the primary: the shards in use, in the order in which they were added.
    """
    CREATE TABLE IF NOT EXISTS shards (
        name VARCHAR(20) NOT NULL PRIMARY KEY,
        place {integer} NOT NULL,
        state VARCHAR(10) NOT NULL,
        settled SMALLINT NOT NULL DEFAULT 0,
        identity VARCHAR(32) NOT NULL,
        created_at {datetime} NOT NULL
    ) {table_options}
    """,
    # On a shard: its one row says which shard it is, so that no address is taken for another.
    "CREATE TABLE IF NOT EXISTS shard_identity (id VARCHAR(32) NOT NULL PRIMARY KEY) {table_options}",
    # Where rows arrive: those that may still be at their source, too.
    """
    CREATE TABLE IF NOT EXISTS shard_arrivals (
        table_name VARCHAR(40) NOT NULL,
        row_id VARCHAR(36) NOT NULL,
        source VARCHAR(20) NOT NULL,
        PRIMARY KEY (table_name, row_id)
    ) {table_options}
    """,
]

DOWN = [
    "DROP TABLE IF EXISTS shard_arrivals",
    "DROP TABLE IF EXISTS shard_identity",
    "DROP TABLE IF EXISTS shards",
    "DROP INDEX IF EXISTS events_tenant ON events",
    "DROP INDEX IF EXISTS audit_events_tenant ON audit_events",
    "ALTER TABLE events DROP COLUMN IF EXISTS tenant",
    "ALTER TABLE audit_events DROP COLUMN IF EXISTS tenant",
    "ALTER TABLE users DROP COLUMN IF EXISTS tenant",
]
