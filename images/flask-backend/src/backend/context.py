"""What one process holds: made once by the app factory, reached through `services()`."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from redis import Redis

from backend.auth.passwords import PasswordHasher
from backend.auth.throttle import LoginThrottle
from backend.auth.tokens import TokenIssuer
from backend.config import Settings
from backend.crypto import SecretBox
from backend.database.session import Database
from backend.events.hub import EventHub
from backend.events.streams import StreamSlots
from backend.integrations.addresses import AddressFence
from backend.integrations.outgoing import OutgoingClient
from backend.jobs.queue import JobQueue
from backend.metrics import Metrics
from backend.shards.cluster import Shards
from backend.shards.health import ShardHealth
from backend.slots import Slots
from backend.status.fast_path import FastPath


@dataclass(frozen=True)
class Services:
    """Everything that views and services need besides the request."""

    settings: Settings
    metrics: Metrics
    database: Database
    shards: Shards
    shard_health: ShardHealth
    redis: Redis | None
    hasher: PasswordHasher
    tokens: TokenIssuer
    throttle: LoginThrottle
    fast_path: FastPath
    queue: JobQueue
    events: EventHub
    streams: StreamSlots
    downloads: Slots
    webhook_secrets: SecretBox
    totp_secrets: SecretBox
    idempotent_answers: SecretBox
    fence: AddressFence
    outgoing: OutgoingClient


def services() -> Services:
    """The services of the running application."""
    return current_app.extensions["backend"]
