"""Artifact type of the data audit."""

from __future__ import annotations

from tfx.types import artifact


class DataAudit(artifact.Artifact):
    """The record `audit.json`, and `audit.parquet` with a row for each image."""

    TYPE_NAME = 'DataAudit'
