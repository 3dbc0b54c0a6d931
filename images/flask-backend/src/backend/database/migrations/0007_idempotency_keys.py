"""Idempotency keys of POST requests, with the answers that repetitions get."""

UP = [
    """
    CREATE TABLE IF NOT EXISTS idempotency_keys (
        id VARCHAR(64) NOT NULL PRIMARY KEY,
        fingerprint VARCHAR(64) NOT NULL,
        status {integer} NOT NULL,
        headers VARCHAR(1000) NOT NULL,
        body {text} NOT NULL,
        created_at {datetime} NOT NULL,
        expires_at {datetime} NOT NULL
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS idempotency_keys_expires_at ON idempotency_keys (expires_at)",
]

DOWN = ["DROP TABLE IF EXISTS idempotency_keys"]
