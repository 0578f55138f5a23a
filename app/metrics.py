"""Prometheus metrics of one process (one worker a process: no multiprocess files)."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.breaker import Breaker
from app.database import Database

# 0.2 and 0.5 are the thresholds of slo.yaml: as exact bounds they make latency objectives plain ratios.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)


disable_created_metrics()  # type: ignore[no-untyped-call]  # it is; and it stops a second series per child that nobody reads


class Metrics:
    """The registry, and the children observed on every request (finding a child costs more than observing)."""

    def __init__(self, slot: str, version: str) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._slot, self._version = slot, version
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Duration of HTTP requests on the traffic port.",
            ("method", "route", "status_code", "slot", "version"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self.cache = Counter(
            "cache_requests", "Cache look-ups by level and result.", ("level", "result"), registry=self.registry
        )
        self.in_flight = Gauge(
            "http_requests_in_flight",
            "Requests begun on the traffic port and not answered yet.",
            registry=self.registry,
        )
        self.rate_limit_fallbacks = Counter(
            "rate_limit_fallbacks", "Requests limited by this process alone, Valkey being away.", registry=self.registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._duration.labels(method, route, str(status), self._slot, self._version)
        child.observe(seconds)

    def watch(self, database: Database, breakers: dict[str, Breaker]) -> None:
        """Expose the pool's figures and the breakers' states, read at scrape time."""
        self.registry.register(_States(database, breakers))

    def text(self) -> bytes:
        """The exposition, text format 0.0.4."""
        return generate_latest(self.registry)


class _States(Collector):
    def __init__(self, database: Database, breakers: dict[str, Breaker]) -> None:
        self._database, self._breakers = database, breakers

    def collect(self) -> Iterable[Metric]:
        figures = self._database.figures()
        for name, help_text in (
            ("size", "Connections the pool has."),
            ("available", "Connections idle in the pool."),
            ("waiting", "Requests waiting for a connection."),
        ):
            yield GaugeMetricFamily(f"db_pool_{name}", help_text, value=getattr(figures, name))
        wait = Metric("db_pool_wait_seconds", "Time spent waiting for a pooled connection.", "summary")
        wait.add_sample("db_pool_wait_seconds_sum", {}, figures.wait_s)
        wait.add_sample("db_pool_wait_seconds_count", {}, figures.checkouts)
        yield wait
        state = GaugeMetricFamily("breaker_state", "0 closed, 1 half open, 2 open.", labels=["dependency"])
        for dependency, breaker in self._breakers.items():
            state.add_metric([dependency], breaker.state)
        yield state
