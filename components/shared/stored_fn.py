"""Beam's steps that use the content store, and what a pipeline tells of it."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from tfx.types.artifact import Artifact

from thawline.components.shared import content_store, property_names
from thawline.components.shared.content_store import Namespace, Records

_COUNTERS = 'content_store'
_READ, _PROBLEM = 'read', 'problem: '


class StoredFn(beam.DoFn):
    """A step with records of the store, which are published at the end of each bundle.

    A bundle that fails publishes nothing; what it had computed is computed again.
    """

    def __init__(self, namespace: Namespace | None) -> None:
        """`namespace`: None for no store."""
        self._namespace = namespace

    def setup(self) -> None:
        """Opens the records, as they are now."""
        self.records = Records(self._namespace)

    def finish_bundle(self) -> Any:
        """Publishes what was added."""
        records = self.records
        records.publish()
        if records.read:
            Metrics.counter(_COUNTERS, _READ).inc(records.read)
            records.read = 0
        if records.problem:
            Metrics.counter(_COUNTERS, _PROBLEM + records.problem).inc()

    def teardown(self) -> None:
        """Closes the files."""
        self.records.close()


def record_use(artifact: Artifact, namespace: Namespace | None, *pipelines: beam.Pipeline) -> None:
    """Notes on an artifact how many images came from the store, and why nothing more was added.

    Args:
        artifact: of the node.
        namespace: that it used, which is tidied; None for none.
        pipelines: of the node, that have ended.
    """
    if namespace is None:
        return
    content_store.tidy(namespace)
    read, problem = 0, ''
    for pipeline in pipelines:
        for counter in _counters(pipeline):
            name = counter.key.metric.name
            if name == _READ:
                read += counter.result
            else:
                problem = name.removeprefix(_PROBLEM)
    artifact.set_int_custom_property(property_names.FROM_STORE, read)
    if problem:
        artifact.set_string_custom_property(property_names.STORE_PROBLEM, problem)


def _counters(pipeline: beam.Pipeline) -> list[Any]:
    result = pipeline.result
    if result is None:
        return []
    query = MetricsFilter().with_namespace(_COUNTERS)
    return list(result.metrics().query(query)['counters'])
