"""Prometheus metrics of the connections, those to shards included, and of the replica's reads, read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.database.session import Database


class PoolCollector(Collector):
    """Register one per application."""

    def __init__(self, database: Database, shards: dict[str, Database]):
        self._database, self._shards = database, shards

    def collect(self) -> Iterator[Metric]:
        gauges = {
            "size": GaugeMetricFamily("database_pool_size", "Connections that may be in use", labels=["server"]),
            "in_use": GaugeMetricFamily("database_pool_in_use", "Connections in use", labels=["server"]),
        }
        counters = {
            "waits": CounterMetricFamily(
                "database_pool_waits", "Transactions that waited for a connection", labels=["server"]
            ),
            "wait_seconds": CounterMetricFamily("database_pool_wait_seconds", "Time they waited", labels=["server"]),
            "refused": CounterMetricFamily(
                "database_pool_refused", "Transactions that waited in vain", labels=["server"]
            ),
        }
        pools = self._database.pools()
        for name, shard in self._shards.items():
            pools |= {f"shard-{name}-{role}": statistics for role, statistics in shard.pools().items()}
        for server, statistics in pools.items():
            for name, family in (gauges | counters).items():
                family.add_metric([server], getattr(statistics, name))
        yield from (gauges | counters).values()
        reads = CounterMetricFamily(
            "database_replica_reads", "Reads that may use the replica, by what became of them", labels=["outcome"]
        )
        replica = self._database.replica
        for outcome, count in sorted(replica.outcomes.items()) if replica else ():
            reads.add_metric([outcome], count)
        yield reads
