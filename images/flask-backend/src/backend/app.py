"""The application factory."""

from __future__ import annotations

import threading

import structlog
from flask import Flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.middleware.proxy_fix import ProxyFix

from backend.access import views as access_views
from backend.api_keys import views as api_keys_views
from backend.audit import views as audit_views
from backend.auth import account_views
from backend.auth import views as auth_views
from backend.auth.gate import init_gate
from backend.auth.keys import KeyRing, check_keys
from backend.auth.passwords import PasswordHasher
from backend.auth.throttle import LoginThrottle
from backend.auth.tokens import TokenIssuer
from backend.bodies import BodySlots
from backend.config import Settings, load_settings
from backend.context import Services
from backend.cors import init_cors
from backend.crypto import secret_box
from backend.database.pool_metrics import PoolCollector
from backend.database.session import Database
from backend.dumping import OrjsonProvider
from backend.events import views as events_views
from backend.events.hub import EventHub
from backend.events.streams import StreamSlots
from backend.guard import views as guard_views
from backend.health import views as health_views
from backend.ingest import views as ingest_views
from backend.integrations import views as webhooks_views
from backend.integrations.addresses import AddressFence
from backend.integrations.outgoing import OutgoingClient
from backend.jobs import views as jobs_views
from backend.jobs.queue import JobQueue
from backend.lifecycle import when_ending
from backend.logs import configure_logging
from backend.metrics import Metrics, init_metrics
from backend.problems import ProblemApi, init_problems
from backend.requests import init_requests
from backend.shards.cluster import Shards
from backend.shards.health import ShardHealth
from backend.slots import Slots
from backend.status import views as status_views
from backend.status.fast_path import FastPath
from backend.tracing import configure_tracing, flush_traces, init_tracing
from backend.users import views as users_views

MAX_BODY_BYTES = 1024 * 1024
REDIS_TIMEOUT_SECONDS = 0.3
_BLUEPRINTS = (
    auth_views.blueprint,
    account_views.blueprint,
    users_views.blueprint,
    api_keys_views.blueprint,
    audit_views.blueprint,
    access_views.blueprint,
    status_views.blueprint,
    jobs_views.blueprint,
    webhooks_views.blueprint,
    guard_views.blueprint,
    events_views.blueprint,
    ingest_views.blueprint,
)


def create_app(settings: Settings) -> Flask:
    """The WSGI application; call it in the process that serves, after any fork.

    Raises:
        ConfigError: the signing key cannot be used.
    """
    app = Flask("backend", static_folder=None)
    app.config.update(_configuration(settings))
    app.json = OrjsonProvider(app)
    # One trailing slash is one more path: no redirects.
    app.url_map.strict_slashes = True
    services = build_services(settings)
    app.extensions["backend"] = services
    # The order matters: a request has its id and its clock before anything may refuse it.
    init_metrics(app, services.metrics)
    init_requests(app)
    init_tracing(app)
    init_cors(app, settings.cors_origins)
    init_problems(app)
    api = ProblemApi(app)
    init_gate(app)
    for blueprint in _BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(auth_views.keys_blueprint)
    app.register_blueprint(health_views.blueprint)
    app.wsgi_app = BodySlots(app.wsgi_app, settings.threads, MAX_BODY_BYTES)
    if settings.trusted_proxy_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxy_hops, x_proto=0)
    return app


def create_served_app() -> Flask:
    """What the server loads in its worker process."""
    settings = load_settings()
    configure_logging(settings.log_level)
    configure_tracing(settings)
    app = create_app(settings)
    if settings.jwt_signing_key_file is None:
        log = structlog.get_logger(__name__)
        log.warning("no JWT_SIGNING_KEY_FILE: signing with a key that dies with this process (alpha only)")
    _start_background(app.extensions["backend"])
    return app


def _start_background(services: Services) -> None:
    from backend.jobs.background import Background
    from backend.jobs.loops import platform_loops

    background = None
    if services.settings.background == "embedded":
        background = Background(services, services.settings.worker_threads, platform_loops(services))
        background.start()

    def end() -> None:
        # Streams would keep the server from draining.
        services.streams.stopping.set()
        if background:
            background.stop()
        flush_traces()

    when_ending(end)


def build_services(settings: Settings) -> Services:
    """Everything that one process holds; connects to nothing yet."""
    check_keys(settings)
    redis = _redis(settings)
    metrics = Metrics(redis)

    def count_error(outcome: str) -> None:
        metrics.transactions.labels(outcome).inc()

    database = Database(settings, on_error=count_error)
    shards = Shards(database, settings, on_error=count_error)
    metrics.registry.register(PoolCollector(database, shards.databases))
    fence = AddressFence(settings.webhook_networks)
    streams = StreamSlots(settings.stream_limit, threading.Event())
    metrics.streams.set_function(lambda: streams.open)
    downloads = Slots(max(1, settings.threads // 8), "downloads")
    metrics.downloads.set_function(lambda: downloads.open)
    throttle = LoginThrottle(redis)
    metrics.throttle_degraded.set_function(lambda: throttle.counters.degraded)
    return Services(
        settings=settings,
        metrics=metrics,
        database=database,
        shards=shards,
        shard_health=ShardHealth(shards),
        redis=redis,
        hasher=PasswordHasher(settings.password_hash_cost),
        tokens=TokenIssuer(KeyRing(settings.jwt_signing_key_file)),
        throttle=throttle,
        fast_path=FastPath(settings.go_backend_target, settings.go_backend_tls),
        queue=JobQueue(settings),
        events=EventHub(shards),
        streams=streams,
        downloads=downloads,
        webhook_secrets=secret_box(settings, "webhooks"),
        totp_secrets=secret_box(settings, "totp"),
        idempotent_answers=secret_box(settings, "idempotent answers"),
        fence=fence,
        outgoing=OutgoingClient(fence),
    )


def _redis(settings: Settings) -> Redis | None:
    if not settings.redis_host:
        return None
    return Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password.get_secret_value() if settings.redis_password else None,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )


def _configuration(settings: Settings) -> dict:
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {
        "MAX_CONTENT_LENGTH": MAX_BODY_BYTES,
        "API_TITLE": "Triptych",
        "API_VERSION": settings.triptych_version,
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/api/v1",
        "OPENAPI_JSON_PATH": "openapi.json",
        "API_SPEC_OPTIONS": {
            "components": {"securitySchemes": {"bearer": bearer}},
            "security": [{"bearer": []}],
        },
    }
