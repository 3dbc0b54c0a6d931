"""Webhooks and their deliveries."""

UP = [
    """
    CREATE TABLE IF NOT EXISTS webhooks (
        id {identity},
        url VARCHAR(2000) NOT NULL,
        description VARCHAR(200) NOT NULL,
        events VARCHAR(2000) NOT NULL,
        secret TEXT NOT NULL,
        enabled SMALLINT NOT NULL DEFAULT 1,
        after_event {integer} NOT NULL,
        created_at {datetime} NOT NULL,
        updated_at {datetime} NOT NULL
    ) {table_options}
    """,
    """
    CREATE TABLE IF NOT EXISTS webhook_deliveries (
        id VARCHAR(32) NOT NULL PRIMARY KEY,
        webhook_id {integer} NOT NULL,
        kind VARCHAR(60) NOT NULL,
        body TEXT NOT NULL,
        state VARCHAR(20) NOT NULL,
        attempts {integer} NOT NULL DEFAULT 0,
        next_attempt_at {datetime} NOT NULL,
        last_status {integer},
        last_error VARCHAR(300) NOT NULL DEFAULT '',
        duration_ms {integer},
        created_at {datetime} NOT NULL,
        finished_at {datetime},
        CONSTRAINT webhook_deliveries_webhook FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS webhook_deliveries_due ON webhook_deliveries (state, next_attempt_at)",
    "CREATE INDEX IF NOT EXISTS webhook_deliveries_webhook_id ON webhook_deliveries (webhook_id, created_at)",
]

DOWN = ["DROP TABLE IF EXISTS webhook_deliveries", "DROP TABLE IF EXISTS webhooks"]
