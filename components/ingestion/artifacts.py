"""Artifact types of ingestion."""

from __future__ import annotations

from tfx.types import artifact


class Quarantine(artifact.Artifact):
    """What was listed but not used, and the counts of an ingestion.

    Files: quarantine.csv, quarantine.jsonl (path, reason, detail), summary.json.
    Custom properties: total, written, quarantined, classes (int); summary (JSON string).
    """

    TYPE_NAME = 'Quarantine'
