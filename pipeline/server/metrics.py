"""Metrics for Prometheus: requests, durations, images, errors, the version, recording."""

from __future__ import annotations

import prometheus_client as prometheus

# Else every counter comes with a second metric, the time it was created.
prometheus.disable_created_metrics()
_SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one server; a process may have several servers.

    Attributes:
        cut_off: requests that had no answer when the server stopped.
    """

    def __init__(self) -> None:
        """Registers the metrics in a registry of their own."""
        self.registry = registry = prometheus.CollectorRegistry()
        self.requests = prometheus.Counter(
            'thawline_requests', 'Requests by endpoint and status.', ['endpoint', 'status'],
            registry=registry,
        )  # fmt: skip
        self.seconds = prometheus.Histogram(
            'thawline_request_seconds', 'From the first byte received to the last byte sent.',
            ['endpoint'], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.errors = prometheus.Counter(
            'thawline_errors', 'Requests answered with an error, by who caused it.',
            ['endpoint', 'blame'], registry=registry,
        )  # fmt: skip
        self.images = prometheus.Counter(
            'thawline_images', 'Images (rows) answered, by signature.', ['signature'],
            registry=registry,
        )  # fmt: skip
        self.version = prometheus.Gauge(
            'thawline_version_in_service', 'The version in service; 0 before the first.',
            registry=registry,
        )  # fmt: skip
        self.loads = prometheus.Counter(
            'thawline_version_loads', 'Attempts to load a version, by outcome.', ['outcome'],
            registry=registry,
        )  # fmt: skip
        self.load_seconds = prometheus.Gauge(
            'thawline_version_load_seconds', 'Loading and warm-up of the version in service.',
            registry=registry,
        )  # fmt: skip
        self.recorded = prometheus.Counter(
            'thawline_recorded', 'Answers drawn by --record, kept or dropped.', ['outcome'],
            registry=registry,
        )  # fmt: skip
        self.recording = prometheus.Gauge(
            'thawline_recording', '1 while answers are recorded.', registry=registry
        )
        prometheus.ProcessCollector(registry=registry)
        self.cut_off = 0

    def count_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self.requests.labels(endpoint, str(status)).inc()
        self.seconds.labels(endpoint).observe(seconds)
        if status >= 400:
            self.errors.labels(endpoint, 'client' if status < 500 else 'server').inc()

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return prometheus.generate_latest(self.registry)


CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST
