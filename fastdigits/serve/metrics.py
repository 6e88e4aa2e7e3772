"""Prometheus metrics of a server."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from fastdigits import __version__

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
IMAGES = (1, 2, 4, 8, 16, 32, 64)
METHODS = {"GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"}
OTHER = "other"  # replaces unknown methods and paths, which would create any number of labels


class Metrics:
    """The metrics of one application, in a registry of its own; `queued` returns the batches in the worker's queue."""

    def __init__(self, queued: Callable[[], int]):
        self.registry = CollectorRegistry()
        common: dict[str, Any] = {"registry": self.registry, "namespace": "fastdigits"}
        self.requests = Counter("requests", "Requests answered.", ["method", "route", "status"], **common)
        self.seconds = Histogram(
            "request_seconds", "Time from a request to the end of its answer.", ["route"], buckets=SECONDS, **common
        )
        self.predictions = Counter("predictions", "Digits predicted.", ["model", "unsure"], **common)
        self.batches = Histogram("batch_images", "Images per batch.", buckets=IMAGES, **common)
        self.running = Gauge("requests_running", "Requests in progress.", **common)
        Gauge("batches_waiting", "Batches of images in the queue.", **common).set_function(queued)
        Info("build", "Version of the server.", **common).info({"version": __version__})
        ProcessCollector(registry=self.registry)

    def record_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request that has been answered; `route` is None if no route matched."""
        route = route or OTHER
        self.requests.labels(method if method in METHODS else OTHER, route, status).inc()
        self.seconds.labels(route).observe(seconds)

    def as_text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
