"""What Prometheus may ask: requests, their time, images, errors, the version in service."""

from __future__ import annotations

import prometheus_client as prometheus

# Without these, every counter would come with a second one: the time of its birth.
prometheus.disable_created_metrics()
_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one server; several may live in a process.

    Attributes:
        cut_off: requests that the end of the server left without an answer.
    """

    def __init__(self) -> None:
        """Registers them with a registry of their own."""
        self.registry = registry = prometheus.CollectorRegistry()
        self.requests = prometheus.Counter(
            'thawline_requests', 'Requests by endpoint and status.', ['endpoint', 'status'],
            registry=registry,
        )  # fmt: skip
        self.seconds = prometheus.Histogram(
            'thawline_request_seconds', 'From the first byte in to the last one out.',
            ['endpoint'], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.errors = prometheus.Counter(
            'thawline_errors', 'Requests answered with an error, by what is to blame.',
            ['endpoint', 'blame'], registry=registry,
        )  # fmt: skip
        self.images = prometheus.Counter(
            'thawline_images', 'Rows that were answered, by signature.', ['signature'],
            registry=registry,
        )  # fmt: skip
        self.version = prometheus.Gauge(
            'thawline_version_in_service', 'The version that answers; 0: none yet.',
            registry=registry,
        )  # fmt: skip
        self.loads = prometheus.Counter(
            'thawline_version_loads', 'Versions that were loaded, or not.', ['outcome'],
            registry=registry,
        )  # fmt: skip
        self.load_seconds = prometheus.Gauge(
            'thawline_version_load_seconds', 'Loading and warming up of the version in service.',
            registry=registry,
        )  # fmt: skip
        prometheus.ProcessCollector(registry=registry)
        self.cut_off = 0

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self.requests.labels(endpoint, str(status)).inc()
        self.seconds.labels(endpoint).observe(seconds)
        if status >= 400:
            self.errors.labels(endpoint, 'client' if status < 500 else 'server').inc()

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return prometheus.generate_latest(self.registry)


CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST
