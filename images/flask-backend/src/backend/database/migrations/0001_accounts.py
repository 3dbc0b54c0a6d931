"""Users, their sessions and refresh tokens."""

UP = [
    """
    CREATE TABLE IF NOT EXISTS users (
        id {identity},
        email VARCHAR(254) NOT NULL,
        full_name VARCHAR(200) NOT NULL,
        role VARCHAR(20) NOT NULL,
        is_active SMALLINT NOT NULL DEFAULT 1,
        password_hash VARCHAR(100) NOT NULL,
        created_at {datetime} NOT NULL,
        updated_at {datetime} NOT NULL,
        CONSTRAINT users_email_unique UNIQUE (email)
    ) {table_options}
    """,
    """
    CREATE TABLE IF NOT EXISTS sessions (
        id VARCHAR(32) NOT NULL PRIMARY KEY,
        user_id {integer} NOT NULL,
        created_at {datetime} NOT NULL,
        expires_at {datetime} NOT NULL,
        revoked_at {datetime},
        CONSTRAINT sessions_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
    ) {table_options}
    """,
    """
    CREATE TABLE IF NOT EXISTS refresh_tokens (
        token_hash VARCHAR(64) NOT NULL PRIMARY KEY,
        session_id VARCHAR(32) NOT NULL,
        created_at {datetime} NOT NULL,
        used_at {datetime},
        CONSTRAINT refresh_tokens_session FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS sessions_user_id ON sessions (user_id, expires_at)",
    "CREATE INDEX IF NOT EXISTS refresh_tokens_session_id ON refresh_tokens (session_id)",
]

DOWN = [
    "DROP TABLE IF EXISTS refresh_tokens",
    "DROP TABLE IF EXISTS sessions",
    "DROP TABLE IF EXISTS users",
]
