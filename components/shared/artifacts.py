"""Artifact types that nodes of several folders read; a type of one reader is beside its node.

Both hold, beside their record, the files of the model that they are about: see `judged_files`.
"""

from __future__ import annotations

from tfx.types import artifact


class Exports(artifact.Artifact):
    """What was exported and what was refused: `exports.json`, see `export.record`.

    Custom properties: placed (string, JSON list of kinds beside the SavedModel), model_digest.
    """

    TYPE_NAME = 'Exports'


class ServingRecord(artifact.Artifact):
    """What the exported model was asked and answered: `serving.json`, see `serving_check.record`.

    Custom properties: checked (int), latency_ms (float, median of `serving_bytes`), memory_mb
    (float), cold_start (float, seconds), problems (string), those that were measured; model_digest.
    """

    TYPE_NAME = 'ServingRecord'
