"""Prometheus metrics of one process."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from redis import Redis

from backend.status.traffic import Traffic

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """A registry of its own per application, so that two in one process do not clash.

    Args:
        redis: where the replicas add up what the dashboard draws.
    """

    def __init__(self, redis: Redis | None):
        self.traffic = Traffic(redis)
        self.registry = CollectorRegistry()
        for collector in (GCCollector, PlatformCollector, ProcessCollector):
            collector(registry=self.registry)
        self.requests = Counter(
            "http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "http_request_duration_seconds",
            "Time to answer",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.logins = Counter("login_attempts", "Login attempts", ["outcome"], registry=self.registry)
        self.throttled = Counter(
            "throttled_attempts",
            "Attempts refused unseen, by what there were too many of",
            ["kind", "scope"],
            registry=self.registry,
        )
        self.throttle_degraded = Gauge(
            "throttle_degraded",
            "1 while attempts are counted in this process, since Redis is away",
            registry=self.registry,
        )
        self.jobs = Counter("jobs_finished", "Background jobs that ended", ["kind", "state"], registry=self.registry)
        self.streams = Gauge(
            "event_streams_open", "Live streams, each with a thread of its own", registry=self.registry
        )
        self.downloads = Gauge(
            "downloads_open", "Files being sent, each with a thread of its own", registry=self.registry
        )
        self.waiting = Gauge(
            "background_waiting", "Rows of background work by kind and state", ["what", "state"], registry=self.registry
        )
        self.oldest = Gauge(
            "background_oldest_seconds",
            "Age of the oldest row of background work that waits",
            ["what"],
            registry=self.registry,
        )
        self.webhooks = Counter("webhook_attempts", "Tries to deliver a webhook", ["outcome"], registry=self.registry)
        self.guard_pushes = Counter(
            "guard_revision_pushes", "Rule revisions sent to a node", ["outcome"], registry=self.registry
        )
        self.transactions = Counter(
            "database_transaction_errors",
            "Transactions that were retried or given up",
            ["outcome"],
            registry=self.registry,
        )

    def count_login(self, outcome: str) -> None:
        """Count an attempt to sign in: `accepted`, `challenged` (its second step follows), `refused`, `throttled`, `busy`."""
        self.logins.labels(outcome).inc()
        if outcome not in ("challenged", "busy"):
            self.traffic.count("logins" if outcome == "accepted" else "refused_logins")


def init_metrics(app: Flask, metrics: Metrics) -> None:
    """Count and time every request by its route pattern."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "unmatched"
        method = request.method if request.method in _METHODS else "other"
        metrics.requests.labels(method, route, response.status_code).inc()
        metrics.latency.labels(method, route).observe(time.perf_counter() - g.started)
        if route.startswith("/api/"):
            metrics.traffic.count("requests", *(["failures"] if response.status_code >= 500 else []))
        return response


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
