"""Shards: databases besides the primary that hold the events of tenants; off unless SHARDS names some."""
