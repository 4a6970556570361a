"""Artifact type of the Exporter's record."""

from __future__ import annotations

from tfx.types import artifact


class Exports(artifact.Artifact):
    """What was exported and what was refused: `exports.json`, as `record.Record` describes it.

    Custom properties: placed (string, JSON list of kinds beside the SavedModel).
    """

    TYPE_NAME = 'Exports'
