"""Metrics for Prometheus: requests, connections, caches, the boot, and the schema's revision."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Engine, QueuePool

from alembic_boot.serving.open_connections import closed
from alembic_boot.serving.readiness import ReadinessProbe
from alembic_boot.state.readiness import Readiness

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

UNMATCHED = "unmatched"
"""The route label of every address without a route."""


@dataclass(frozen=True)
class CacheFigures:
    """The counts of a cache since the process started."""

    hits: int
    misses: int
    size: int
    """Entries in the cache now."""


class Metrics(Collector):
    """The metrics of one application, in a registry of its own."""

    def __init__(
        self,
        engine: Engine,
        readiness: ReadinessProbe,
        boot_stages: Mapping[str, float],
        worker: int | None = None,
    ) -> None:
        """Take the sources; `worker` is the process id if there are several workers."""
        self._pool = engine.pool
        self._readiness = readiness
        self._boot_stages = boot_stages
        self._worker = worker
        self._caches: dict[str, Callable[[], CacheFigures]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self.in_flight = Gauge(
            "moriai_http_requests_in_flight",
            "Requests that are being answered.",
            registry=self._registry,
        )
        self._requests = Histogram(
            "moriai_http_request_duration_seconds",
            "How long requests took, by the route that matched; `_count` is how many there were.",
            ("method", "route", "status"),
            registry=self._registry,
            buckets=_BUCKETS,
        )

        self._shed = Counter(
            "moriai_http_requests_shed",
            "Requests that were answered 503 because there was too much to do.",
            registry=self._registry,
        )

    def note_shed(self) -> None:
        """Count a request that was refused because of overload."""
        self._shed.inc()

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request. `route` is a template, never an address; None if no route matched."""
        # A client can send any word as the method.
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route or UNMATCHED, str(status)).observe(seconds)

    def watch_cache(self, name: str, read: Callable[[], CacheFigures]) -> None:
        """Add the metrics of a cache; `read` is called at every scrape."""
        self._caches[name] = read

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, each sample with the label of its worker."""
        for metric in self._all():
            # Leave out the `_created` series, which are useless and double the number of series.
            metric.samples = [it for it in metric.samples if not it.name.endswith("_created")]
            if self._worker is not None:
                worker = {"worker": str(self._worker)}
                metric.samples = [
                    it._replace(labels={**it.labels, **worker}) for it in metric.samples
                ]
            yield metric

    def _all(self) -> Iterator[Metric]:
        yield from self._registry.collect()
        yield _of_connections()
        yield from self._of_pool()
        yield from self._of_caches()
        yield from self._of_boot()
        yield from self._of_schema(self._readiness.last())

    def _of_pool(self) -> Iterator[Metric]:
        pool = self._pool
        if not isinstance(pool, QueuePool):
            return
        figures = {
            "size": ("Connections that the pool keeps.", pool.size()),
            "checked_out": ("Connections that requests have now.", pool.checkedout()),
            "idle": ("Connections that wait for a request.", pool.checkedin()),
            # Below zero as long as the pool is not full.
            "overflow": ("Connections beyond those that it keeps.", max(0, pool.overflow())),
        }
        for name, (meaning, value) in figures.items():
            yield GaugeMetricFamily(f"moriai_db_pool_{name}", meaning, value)

    def _of_caches(self) -> Iterator[Metric]:
        if not self._caches:
            return
        hits = CounterMetricFamily("moriai_cache_hits", "Found in a cache.", labels=["cache"])
        misses = CounterMetricFamily("moriai_cache_misses", "Not found there.", labels=["cache"])
        size = GaugeMetricFamily("moriai_cache_entries", "Entries in it now.", labels=["cache"])
        for name, read in self._caches.items():
            figures = read()
            hits.add_metric([name], figures.hits)
            misses.add_metric([name], figures.misses)
            size.add_metric([name], figures.size)
        yield from (hits, misses, size)

    def _of_boot(self) -> Iterator[Metric]:
        stages = GaugeMetricFamily(
            "moriai_boot_stage_seconds",
            "How long each stage took before this was served.",
            labels=["stage"],
        )
        for stage, seconds in self._boot_stages.items():
            stages.add_metric([stage], seconds)
        yield stages

    def _of_schema(self, found: Readiness | None) -> Iterator[Metric]:
        if found is None:
            return
        yield GaugeMetricFamily(
            "moriai_schema_ready",
            "Whether the schema fits this release: 1 or 0.",
            int(found.ready),
        )
        schema = GaugeMetricFamily(
            "moriai_schema_info",
            "The revision of the schema, by the last probe; always 1.",
            labels=["state", "current", "target"],
        )
        current = ",".join(found.current)
        schema.add_metric([found.state or "unknown", current, found.target or ""], 1)
        yield schema


def _of_connections() -> Metric:
    ended = CounterMetricFamily(
        "moriai_connections_closed",
        "Connections that were closed because their clients kept the service waiting.",
        labels=["reason"],
    )
    for reason, count in closed.items():
        ended.add_metric([reason], count)
    return ended
