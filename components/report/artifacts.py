"""Artifact type of the report."""

from __future__ import annotations

from tfx.types import artifact


class Report(artifact.Artifact):
    """One page on one candidate, blessed or not.

    Files: report.html, self-contained; content.json, its content as `components.report.content`
    describes it; summary.json, the same without the pictures, for comparison by later runs.
    Custom properties: blessed (int), headline (string).
    """

    TYPE_NAME = 'Report'
