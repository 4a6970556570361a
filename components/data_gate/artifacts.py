"""Artifact type of the data gate's verdict."""

from __future__ import annotations

from tfx.types import artifact


class DataVerdict(artifact.Artifact):
    """What the gate found, as `verdict.json`: findings, class counts, quarantine counts."""

    TYPE_NAME = 'DataVerdict'
