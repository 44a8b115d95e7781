"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from chroma_plugin.server.desk import Desk
    from chroma_plugin.server.served import Served

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
MAX_COLLECTIONS: Final = 1000
"""So many collections at most get a series of their own."""


class Metrics:
    """One registry per application: two applications in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Histogram(
            "chroma_plugin_request_seconds",
            "From the first byte of the headers' handling to the last byte of the answer.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(method, route, str(status))
        child.observe(seconds)

    def watch(self, desk: Desk) -> None:
        """Also tell, whenever asked, how busy the desk is and how large the collections are."""
        self.registry.register(_Gauges(desk))

    def text(self) -> bytes:
        return generate_latest(self.registry)


class _Gauges:
    """Read when Prometheus asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        desk = self._desk
        yield GaugeMetricFamily("chroma_plugin_requests_in_flight", "Requests that have no answer yet.", desk.in_flight)
        yield GaugeMetricFamily("chroma_plugin_buffered_bytes", "Request bodies in memory.", desk.buffered)
        waiting = GaugeMetricFamily("chroma_plugin_queue_length", "Requests that wait for a thread.", labels=("kind",))
        for pool in desk.pools:
            waiting.add_metric((pool.name,), pool.waiting)
        yield waiting
        yield from _collections(desk.served)


def _collections(served: Served) -> Iterator[Metric]:
    """Of the collections that are open: counting the others would load them."""
    known = GaugeMetricFamily("chroma_plugin_collections", "Collections.", labels=("tenant", "database"))
    sizes = GaugeMetricFamily(
        "chroma_plugin_collection_records", "Records of the open collections.", labels=("tenant", "database", "name")
    )
    left = MAX_COLLECTIONS
    backend = served.session.backend
    for tenant in backend.list_tenants():
        for database in backend.list_databases(tenant):
            collections = served.session.collections(tenant, database)
            known.add_metric((tenant, database), len(collections))
            for opened in [opened for opened in collections if opened.is_loaded][:left]:
                with opened.reading() as store:
                    sizes.add_metric((tenant, database, opened.info.name), store.count())
                left -= 1
    yield known
    yield sizes
