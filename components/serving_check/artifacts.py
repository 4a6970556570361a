"""Artifact type of the serving check's record."""

from __future__ import annotations

from tfx.types import artifact


class ServingRecord(artifact.Artifact):
    """What was asked of the exported model and what came: `serving.json`, see `record.Record`.

    Custom properties: checked (int), latency_ms (float, median of `serving_bytes`), memory_mb
    (float), cold_start (float, seconds), problems (string); those that were measured.
    """

    TYPE_NAME = 'ServingRecord'
