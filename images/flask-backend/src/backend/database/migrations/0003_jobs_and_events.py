"""Background jobs, leases of loops that run in one process only, and the outbox of events."""

UP = [
    """
    CREATE TABLE IF NOT EXISTS jobs (
        id VARCHAR(32) NOT NULL PRIMARY KEY,
        kind VARCHAR(50) NOT NULL,
        state VARCHAR(20) NOT NULL,
        arguments TEXT NOT NULL,
        result TEXT,
        error VARCHAR(500) NOT NULL DEFAULT '',
        progress_done {integer} NOT NULL DEFAULT 0,
        progress_total {integer} NOT NULL DEFAULT 0,
        attempts {integer} NOT NULL DEFAULT 0,
        cancel_requested SMALLINT NOT NULL DEFAULT 0,
        worker VARCHAR(64) NOT NULL DEFAULT '',
        schedule_key VARCHAR(100),
        created_by {integer},
        created_at {datetime} NOT NULL,
        queued_at {datetime} NOT NULL,
        started_at {datetime},
        heartbeat_at {datetime},
        finished_at {datetime},
        CONSTRAINT jobs_schedule_key_unique UNIQUE (schedule_key)
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state, queued_at)",
    "CREATE INDEX IF NOT EXISTS jobs_created_at ON jobs (created_at)",
    """
    CREATE TABLE IF NOT EXISTS job_chunks (
        id {identity},
        job_id VARCHAR(32) NOT NULL,
        direction VARCHAR(10) NOT NULL,
        content TEXT NOT NULL,
        CONSTRAINT job_chunks_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS job_chunks_job_id ON job_chunks (job_id, direction, id)",
    """
    CREATE TABLE IF NOT EXISTS leases (
        name VARCHAR(50) NOT NULL PRIMARY KEY,
        holder VARCHAR(64) NOT NULL,
        expires_at {datetime} NOT NULL
    ) {table_options}
    """,
    """
    CREATE TABLE IF NOT EXISTS events (
        id {identity},
        kind VARCHAR(60) NOT NULL,
        audience VARCHAR(20) NOT NULL,
        payload TEXT NOT NULL,
        dispatched SMALLINT NOT NULL DEFAULT 0,
        created_at {datetime} NOT NULL
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS events_dispatched ON events (dispatched, id)",
    "CREATE INDEX IF NOT EXISTS events_created_at ON events (created_at)",
]

DOWN = [f"DROP TABLE IF EXISTS {name}" for name in ("events", "leases", "job_chunks", "jobs")]
