"""Sessions that can be told apart, forced password changes, second factors, API keys, and row versions."""

UP = [
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS version {integer} NOT NULL DEFAULT 1",
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS must_change_password SMALLINT NOT NULL DEFAULT 0",
    # Encrypted; the factor counts from `totp_confirmed_at` on. A code's time step is accepted once.
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS totp_secret VARCHAR(255)",
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS totp_confirmed_at {datetime}",
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS totp_last_step {integer}",
    "ALTER TABLE sessions ADD COLUMN IF NOT EXISTS last_used_at {datetime}",
    "ALTER TABLE sessions ADD COLUMN IF NOT EXISTS address VARCHAR(45) NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN IF NOT EXISTS user_agent VARCHAR(200) NOT NULL DEFAULT ''",
    # With the spent token it derives the successor again, see `backend.auth.refresh`.
    "ALTER TABLE refresh_tokens ADD COLUMN IF NOT EXISTS successor_salt VARCHAR(64)",
    """
    CREATE TABLE IF NOT EXISTS recovery_codes (
        code_hash VARCHAR(64) NOT NULL PRIMARY KEY,
        user_id {integer} NOT NULL,
        used_at {datetime},
        CONSTRAINT recovery_codes_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS recovery_codes_user_id ON recovery_codes (user_id)",
    """
    CREATE TABLE IF NOT EXISTS login_challenges (
        token_hash VARCHAR(64) NOT NULL PRIMARY KEY,
        user_id {integer} NOT NULL,
        attempts {integer} NOT NULL,
        expires_at {datetime} NOT NULL,
        CONSTRAINT login_challenges_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS login_challenges_user_id ON login_challenges (user_id)",
    """
    CREATE TABLE IF NOT EXISTS api_keys (
        id {identity},
        user_id {integer} NOT NULL,
        name VARCHAR(100) NOT NULL,
        prefix VARCHAR(20) NOT NULL,
        key_hash VARCHAR(64) NOT NULL,
        role VARCHAR(20) NOT NULL,
        created_at {datetime} NOT NULL,
        expires_at {datetime} NOT NULL,
        last_used_at {datetime},
        revoked_at {datetime},
        CONSTRAINT api_keys_hash_unique UNIQUE (key_hash),
        CONSTRAINT api_keys_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
    ) {table_options}
    """,
    "CREATE INDEX IF NOT EXISTS api_keys_user_id ON api_keys (user_id)",
]

DOWN = [
    "DROP TABLE IF EXISTS api_keys",
    "DROP TABLE IF EXISTS login_challenges",
    "DROP TABLE IF EXISTS recovery_codes",
    "ALTER TABLE refresh_tokens DROP COLUMN IF EXISTS successor_salt",
    "ALTER TABLE sessions DROP COLUMN IF EXISTS user_agent",
    "ALTER TABLE sessions DROP COLUMN IF EXISTS address",
    "ALTER TABLE sessions DROP COLUMN IF EXISTS last_used_at",
    "ALTER TABLE users DROP COLUMN IF EXISTS totp_last_step",
    "ALTER TABLE users DROP COLUMN IF EXISTS totp_confirmed_at",
    "ALTER TABLE users DROP COLUMN IF EXISTS totp_secret",
    "ALTER TABLE users DROP COLUMN IF EXISTS must_change_password",
    "ALTER TABLE users DROP COLUMN IF EXISTS version",
]
