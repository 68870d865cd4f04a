"""Metrics for Prometheus: requests, their times, and the load."""

import os
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where workers of one server put their numbers together
Source = Literal["computed", "in_flight", "cache"]

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class ServerMetrics:
    """The numbers of one process; `page` gives those of all workers together."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "lexel_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "lexel_request_seconds", "From the head of a request to its answer.", ["route"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._open = Gauge(
            "lexel_requests_open", "Requests being worked on.", registry=registry, multiprocess_mode="livesum"
        )
        self._refused = Counter("lexel_refused", "Requests refused, by the reason.", ["reason"], registry=registry)
        self._inputs = Counter(
            "lexel_inputs", "Texts and images asked for, by where their vectors came from.", ["kind", "source"],
            registry=registry,
        )  # fmt: skip
        self._waiting = Gauge(
            "lexel_inputs_waiting", "Texts and images admitted and not embedded yet.", ["kind"], registry=registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._batch_size = Histogram(
            "lexel_batch_size", "Inputs in one call of a tower.", ["kind"], buckets=_SIZES, registry=registry
        )
        self._batch_requests = Histogram(
            "lexel_batch_requests", "Requests merged into one call of a tower.", ["kind"], buckets=_SIZES,
            registry=registry,
        )  # fmt: skip
        self._tower_seconds = Histogram(
            "lexel_tower_seconds", "Time of one call of a tower.", ["kind"], buckets=_SECONDS, registry=registry
        )

    def request_began(self) -> None:
        self._open.inc()

    def request_ended(self, route: str, method: str, status: int, seconds: float) -> None:
        self._open.dec()
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def inputs(self, kind: str, source: Source, count: int) -> None:
        if count:
            self._inputs.labels(kind, source).inc(count)

    def waiting(self, kind: str, count: int) -> None:
        self._waiting.labels(kind).set(count)

    def batch(self, kind: str, size: int, requests: int) -> None:
        self._batch_size.labels(kind).observe(size)
        self._batch_requests.labels(kind).observe(requests)

    def tower_seconds(self, kind: str, seconds: float) -> None:
        self._tower_seconds.labels(kind).observe(seconds)

    def page(self) -> bytes:
        """All of it in Prometheus's text format."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)
