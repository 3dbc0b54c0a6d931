"""UDP ingest: what the Go backend receives on every node, and a live look at it."""
