"""Figures of a server for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from fastdigits import __version__

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
IMAGES = (1, 2, 4, 8, 16, 32, 64)
METHODS = {"GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"}
OTHER = "other"  # what clients may make up must not become ever more labels


class Metrics:
    """Counters of one server; every app has its own."""

    def __init__(self, waiting: Callable[[], int]):
        self.registry = CollectorRegistry()
        kept = {"registry": self.registry, "namespace": "fastdigits"}
        self.requests = Counter("requests", "Requests answered.", ["method", "route", "status"], **kept)
        self.seconds = Histogram("request_seconds", "Time to the end of an answer.", ["route"], buckets=SECONDS, **kept)
        self.predictions = Counter("predictions", "Images read.", ["model", "unsure"], **kept)
        self.batches = Histogram("batch_images", "Images that were read together.", buckets=IMAGES, **kept)
        self.running = Gauge("requests_running", "Requests that wait for their answer.", **kept)
        Gauge("batches_waiting", "Batches of images that wait to be read.", **kept).set_function(waiting)
        Info("build", "The version that runs.", **kept).info({"version": __version__})
        ProcessCollector(registry=self.registry)

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        route = route or OTHER
        self.requests.labels(method if method in METHODS else OTHER, route, status).inc()
        self.seconds.labels(route).observe(seconds)

    def as_text(self) -> bytes:
        """All figures in the text format of Prometheus."""
        return generate_latest(self.registry)
