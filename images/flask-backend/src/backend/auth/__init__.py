"""Login, sessions and tokens."""
