"""The report before is what the last run ended with, on real TFX artifacts."""

from __future__ import annotations

import dataclasses
import pathlib

from tfx import types
from tfx.types import standard_artifacts

from tests import made_report
from tests.components.shared.test_lineage import Recorder
from thawline.components.report import content, executor, previous_report
from thawline.components.report.artifacts import Report

import ml_metadata as mlmd  # isort: skip
from ml_metadata.proto import metadata_store_pb2 as pb  # isort: skip


def artifact(kind: type[types.Artifact], artifact_id: int) -> types.Artifact:
    value = kind()
    value.id = artifact_id
    return value


def resolve(store: mlmd.MetadataStore, models: list[int], reports: list[int]) -> list[int]:
    """Ids of the reports that are found."""
    inputs = {
        'candidate': [artifact(standard_artifacts.Model, number) for number in models],
        'report': [artifact(Report, number) for number in reports],
    }
    outputs = previous_report.EarlierReportStrategy().resolve_artifacts(store, inputs)
    assert outputs is not None and outputs['candidate'] == inputs['candidate']
    return [report.id for report in outputs['report']]


def test_it_is_the_one_that_the_last_run_before_ended_with() -> None:
    config = pb.ConnectionConfig()
    config.fake_database.SetInParent()
    recorder = Recorder(mlmd.MetadataStore(config))
    models = [recorder.artifact() for _ in range(3)]
    reports = [recorder.artifact() for _ in range(3)]
    done, cached = pb.Execution.COMPLETE, pb.Execution.CACHED
    # The third run has again what the first one had.
    for run, (number, state) in enumerate([(0, done), (1, done), (0, cached), (2, done)]):
        recorder.run('Trainer', f'{run}', {}, {'model': models[number]}, state)
        recorder.run('Report', f'{run}', {}, {'report': reports[number]}, state)
    store = recorder.store
    assert resolve(store, models[:1], reports) == []
    assert resolve(store, models[1:2], reports) == reports[:1]
    assert resolve(store, models[2:], reports) == reports[:1]
    assert resolve(store, models[2:], []) == [] == resolve(store, [], reports)


def test_report_whose_files_are_gone_or_strange_is_as_none(tmp_path: pathlib.Path) -> None:
    assert executor.read_summary(str(tmp_path)) is None
    (tmp_path / executor.SUMMARY).write_text('{"format": 99}', 'utf-8')
    assert executor.read_summary(str(tmp_path)) is None
    report = made_report.content(2, n=4)
    (tmp_path / executor.SUMMARY).write_text(content.summary_to_json(report), 'utf-8')
    assert executor.read_summary(str(tmp_path)) == dataclasses.replace(
        report, pictures={}, galleries=()
    )
