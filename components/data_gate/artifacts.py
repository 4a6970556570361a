"""Artifact type of the data gate's verdict."""

from __future__ import annotations

from tfx.types import artifact


class DataVerdict(artifact.Artifact):
    """Findings, class counts and quarantine counts, as `verdict.json`."""

    TYPE_NAME = 'DataVerdict'
