"""Which shard a tenant's events belong to: rendezvous hashing, so that a new shard takes its share and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Collection


def home(tenant: str, shards: Collection[str]) -> str:
    """The shard with the highest hash of (shard, tenant); the primary, an empty name, where there is none."""
    return max(shards, key=lambda shard: (_score(shard, tenant), shard), default="")


def _score(shard: str, tenant: str) -> bytes:
    return hashlib.blake2b(f"{shard}\0{tenant}".encode(), digest_size=8).digest()
