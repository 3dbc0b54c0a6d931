"""Rules of the edge guard, their policy and their revision."""

UP = [
    """
    CREATE TABLE IF NOT EXISTS guard_rules (
        id VARCHAR(32) NOT NULL PRIMARY KEY,
        prefix VARCHAR(50) NOT NULL,
        protocol {integer} NOT NULL,
        ports VARCHAR(200) NOT NULL,
        action VARCHAR(10) NOT NULL,
        packets_per_second {integer} NOT NULL DEFAULT 0,
        packets_burst {integer} NOT NULL DEFAULT 0,
        syns_per_second {integer} NOT NULL DEFAULT 0,
        syns_burst {integer} NOT NULL DEFAULT 0,
        expires_at {datetime},
        owner VARCHAR(64) NOT NULL,
        comment VARCHAR(256) NOT NULL,
        count_only SMALLINT NOT NULL DEFAULT 0,
        created_at {datetime} NOT NULL,
        updated_at {datetime} NOT NULL
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS guard_rules_prefix ON guard_rules (prefix)",
    "CREATE INDEX IF NOT EXISTS guard_rules_expires_at ON guard_rules (expires_at)",
    """
    CREATE TABLE IF NOT EXISTS guard_policy (
        id {integer} NOT NULL PRIMARY KEY,
        revision {integer} NOT NULL,
        default_action VARCHAR(10) NOT NULL,
        packets_per_second {integer} NOT NULL DEFAULT 0,
        packets_burst {integer} NOT NULL DEFAULT 0,
        syns_per_second {integer} NOT NULL DEFAULT 0,
        syns_burst {integer} NOT NULL DEFAULT 0
    ) {table_options}
    """,
    # The one row that every change locks.
    """
    INSERT INTO guard_policy (id, revision, default_action) SELECT 1, 1, 'pass'
    WHERE NOT EXISTS (SELECT 1 FROM guard_policy WHERE id = 1)
    """,
]

DOWN = ["DROP TABLE IF EXISTS guard_policy", "DROP TABLE IF EXISTS guard_rules"]
