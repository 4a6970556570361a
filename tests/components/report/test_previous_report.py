"""The report before is the newest that is older than the candidate, on real TFX artifacts."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest
from tfx import types
from tfx.types import standard_artifacts

from tests import made_report
from thawline.components.report import content, executor, previous_report
from thawline.components.report.artifacts import Report

# TFX hands the strategy a store, which this one does not ask.
NO_STORE: Any = None


def artifact(kind: type[types.Artifact], artifact_id: int) -> types.Artifact:
    found = kind()
    found.id = artifact_id
    return found


@pytest.mark.parametrize(
    ('candidate', 'reports', 'expected'),
    [
        (10, [3, 8, 5, 12], [8]),
        (10, [12, 15], []),  # a run served from the cache: its own report is no earlier one
        (10, [], []),
        (None, [3], []),
    ],
)
def test_newest_earlier_one(candidate: int | None, reports: list[int], expected: list[int]) -> None:
    models = [] if candidate is None else [artifact(standard_artifacts.Model, candidate)]
    asked = {'candidate': models, 'report': [artifact(Report, i) for i in reports]}
    found = previous_report.EarlierReportStrategy().resolve_artifacts(NO_STORE, asked)
    assert found is not None and found['candidate'] == models
    assert [report.id for report in found['report']] == expected


def test_report_whose_files_are_gone_or_strange_is_as_none(tmp_path: pathlib.Path) -> None:
    assert executor.read_summary(str(tmp_path)) is None
    (tmp_path / executor.SUMMARY).write_text('{"format": 99}', 'utf-8')
    assert executor.read_summary(str(tmp_path)) is None
    report = made_report.content(2, n=4)
    (tmp_path / executor.SUMMARY).write_text(content.summary_to_json(report), 'utf-8')
    assert executor.read_summary(str(tmp_path)) == dataclasses.replace(
        report, pictures={}, galleries=()
    )
