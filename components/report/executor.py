"""Reads the outputs of the other nodes, builds the report, renders and writes it."""

from __future__ import annotations

import datetime
import json
import os
import pathlib

import tensorflow_data_validation as tfdv
from tfx.utils import path_utils

from thawline.components.data_audit import table as audit_table
from thawline.components.data_audit.record import AuditRecord
from thawline.components.data_gate.findings import DataRecord
from thawline.components.embedding import image_embeddings
from thawline.components.evaluation import image_statistics, predictions, serving_cost
from thawline.components.evaluation.gate.record import Verdict
from thawline.components.evaluation.params import Evaluation
from thawline.components.export.record import ExportsRecord
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.report import (
    build,
    content,
    data_card,
    model_card,
    page,
    saliency,
    serving_card,
)
from thawline.components.report.audited_data import AuditedData
from thawline.components.saved_model import card
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.components.shared import (
    lineage,
    metadata_store,
    progress,
    property_names,
    split_files,
)
from thawline.components.shared.executor import Artifacts, NodeExecutor, Properties
from thawline.components.training.record import TrainingRecord

HTML, CONTENT, SUMMARY = 'report.html', 'content.json', 'summary.json'
_PREVIOUS = 'previous'


class Executor(NodeExecutor):
    """Writes the report."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Reports on one candidate.

        Raises:
            DataError: the predictions or the embeddings cannot be used.
        """
        progress.start('building the report')
        config = json.loads(properties['config'])
        model = pathlib.Path(path_utils.serving_model_path(inputs['model'].uri))
        previous = inputs.get(_PREVIOUS)
        report_inputs = build.ReportInputs(
            run=self._context.pipeline_run_id if self._context else '',
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
            verdict=Verdict.read(inputs['evaluation'].uri),
            threshold=config['gate']['val_accuracy'],
            predictions=predictions.read(inputs['evaluation'].uri),
            embeddings=image_embeddings.read(inputs['embeddings'].uri),
            audit=AuditedData(
                AuditRecord.read(inputs['data_audit'].uri),
                audit_table.read(inputs['data_audit'].uri),
            ),
            data=_data_records(inputs),
            model=model_card.ModelCardInputs(
                record=TrainingRecord.read(inputs['model_run'].uri),
                served=card.read(model),
                megabytes=serving_cost.size_mb(str(model)),
                config=config,
                steps=_steps(inputs),
                model_id=inputs['model'].id,
            ),
            explain=saliency.Explainer(model),
            evaluation=Evaluation.model_validate(config.get('evaluation', {})),
            previous=read_summary(previous.uri) if previous else None,
            serving=_serving_card(inputs),
            serving_problems=_serving_problems(inputs),
        )
        report_content = build.build_content(report_inputs)
        report = outputs['report']
        write_report(report_content, pathlib.Path(report.uri))
        report.set_int_custom_property(property_names.BLESSED, int(report_content.verdict.blessed))
        report.set_string_custom_property(property_names.HEADLINE, report_content.verdict.headline)


def write_report(report: content.ReportContent, folder: pathlib.Path) -> None:
    """Writes the three files of a report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONTENT).write_text(content.to_json(report), 'utf-8')
    (folder / SUMMARY).write_text(content.summary_to_json(report), 'utf-8')
    (folder / HTML).write_text(page.render(report), 'utf-8')


def read_summary(uri: str) -> content.ReportContent | None:
    """The summary of a report; None where its file was deleted or has another format."""
    try:
        return content.from_json(pathlib.Path(uri, SUMMARY).read_text('utf-8'))
    except (FileNotFoundError, ValueError):
        return None


def _data_records(inputs: Artifacts) -> build.DataRecords:
    means = {
        split: data_card.feature_means(
            tfdv.load_stats_binary(os.path.join(folder, image_statistics.FILE))
        )
        for split, folder in split_files.folders(inputs['statistics']).items()
    }
    return build.DataRecords(
        IngestionSummary.read(inputs['quarantine'].uri),
        DataRecord.read(inputs['data_verdict'].uri),
        means,
        split_files.files(inputs['examples']),
    )


def _serving_card(inputs: Artifacts) -> content.FactCard | None:
    if 'exports' not in inputs or 'serving_record' not in inputs:
        return None
    return serving_card.card(
        ExportsRecord.read(inputs['exports'].uri),
        ServingCheckRecord.read(inputs['serving_record'].uri),
    )


def _serving_problems(inputs: Artifacts) -> tuple[str, ...]:
    if 'serving_record' not in inputs:
        return ()
    record = ServingCheckRecord.read(inputs['serving_record'].uri)
    return record.problems if record.checked else ()


def _steps(inputs: Artifacts) -> list[lineage.Step]:
    store = metadata_store.lent_store()
    ids = [artifact.id for name, artifact in inputs.items() if name != _PREVIOUS]
    return lineage.steps(store, ids) if store else []
