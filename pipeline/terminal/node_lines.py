"""One line per node: its result, read from its outputs and never from logs.

What a person should look at stands in lines of its own below.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

from thawline.components.data_audit import findings
from thawline.components.data_audit.record import AuditRecord
from thawline.components.data_gate.findings import DataRecord
from thawline.components.ingestion import quarantine
from thawline.components.shared import node_names, percentages, property_names
from thawline.components.shared.text import abbreviate
from thawline.components.training.record import TrainingRecord
from thawline.components.tuning.record import TuningRecord
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import node_records, runs
from thawline.pipeline.metadata.runs import NodeResult


def _ingestion(result: NodeResult, project: Project) -> str:
    summary = node_records.ingestion_summary(result)
    remarks = (*summary.samples, *summary.near_duplicates, *summary.labels)
    kept = _store_use(result, 'quarantine')
    return '\n'.join(('; '.join((_ingested_images(result), summary.sizes, *kept)), *remarks))


def _store_use(result: NodeResult, output: str) -> list[str]:
    """How many images the content store had, if any, and why it takes no more."""
    properties = result.outputs[output].properties if output in result.outputs else {}
    use = []
    if images := properties.get(property_names.FROM_STORE):
        use.append(f'{images:,} from the store')
    if problem := properties.get(property_names.STORE_PROBLEM):
        use.append(f'nothing more was stored: {problem}')
    return use


def _ingested_images(result: NodeResult, purpose: str = '') -> str:
    summary = node_records.ingestion_summary(result)
    line = f'{summary.written:,} images{purpose}, {summary.quarantined:,} quarantined'
    if summary.quarantined:
        reasons = (f'{files:,} x {reason}' for reason, files in summary.reasons.items())
        report = f'{result.outputs["quarantine"].uri}/{quarantine.REPORT_CSV}'
        line += f': {abbreviate(reasons, 3)} (see {report})'
    return line


def _statistics(result: NodeResult, project: Project) -> str:
    names = json.loads(result.outputs['statistics'].properties.get('split_names', '[]'))
    return f'statistics of {", ".join(names)}'


def _data_gate(result: NodeResult, project: Project) -> str:
    record = DataRecord.read(result.outputs['verdict'].uri)
    classes = {label for split in record.facts.class_counts.values() for label in split}
    return '\n'.join([f'passed, {len(classes)} classes', *(f.message for f in record.findings)])


def _transform(result: NodeResult, project: Project) -> str:
    size = project.config.image_size
    line = f'{size} x {size} pixels, {project.config.preprocessing.resize}'
    return '; '.join([line, *_store_use(result, 'transformed_examples')])


def _embedding(result: NodeResult, project: Project) -> str:
    properties = result.outputs['embeddings'].properties
    images, views = properties['count'], properties['views']
    line = f'{images:,} images'
    if views:
        line += f', {views} augmented {"view" if views == 1 else "views"} of each training image'
    milliseconds = 1000 * properties['seconds'] / max(images, 1)
    line += f', {properties["dimension"]:,} features, {milliseconds:.1f} ms per image'
    return '; '.join([line, *_store_use(result, 'embeddings')])


def _audit(result: NodeResult, project: Project) -> str:
    record = AuditRecord.read(result.outputs['audit'].uri)
    parts = [finding.message for finding in record.findings] or ['nothing found']
    if record.left_out:
        parts.insert(0, f'no answers out of fold: {record.left_out}')
    return '\n'.join(filter(None, (*parts, findings.forecast_line(record.forecasts))))


def _training(result: NodeResult, project: Project) -> str:
    record = TrainingRecord.read(result.outputs['model_run'].uri)
    validation = record.validation
    where = 'accuracy on the folds that selected' if validation.folds else 'val accuracy'
    line = f'probe: {where} {percentages.percent(record.probe.val.accuracy)}'
    if tuned := record.fine_tune:
        line += (
            f', fine-tuned: {percentages.percent(tuned.val.accuracy)} (epoch {tuned.best_epoch} of '
            f'{len(tuned.history)}); kept: {record.kept_name}, '
            f'{percentages.percent(record.val.accuracy)}'
        )
    if validation.outcome:
        line += f'; {validation.outcome}'
    if validation.refitted:
        line += f', then fitted to all {validation.refitted:,}'
    augmentation = record.augmentation
    if augmentation and augmentation.measured and augmentation.policy != 'standard':
        line += f'; augmentation reduced to {augmentation.policy}: standard lowers val accuracy'
    if record.left_out:
        line += f'; left out to stay within the budget: {" and ".join(record.left_out)}'
    if record.decision.positive:
        line += f'; {record.decision.summary}'
    return line


def _tuning(result: NodeResult, project: Project) -> str:
    record = TuningRecord.read(result.outputs['tuner_results'].uri)
    return f'{len(record.trials)} trainings; best: {record.chosen_name}'


def _tuned_settings(result: NodeResult, project: Project) -> str:
    settings = result.outputs.get('hyperparameters')
    return f'settings of tuning {settings.id}' if settings else 'no tuning yet'


def _baseline(result: NodeResult, project: Project) -> str:
    model = result.outputs.get('model')
    if model:
        return f'to be compared with model {model.id}'
    in_production = project.config.gate.baseline == 'production'
    return 'no model in production' if in_production else 'no earlier blessed model'


def _evaluation(result: NodeResult, project: Project) -> str:
    evaluation, blessing = result.outputs['evaluation'], result.outputs['blessing']
    accuracies = ((split, runs.accuracy(evaluation, split)) for split in ('val', 'test'))
    parts = [f'{split} accuracy {accuracy}' for split, accuracy in accuracies if accuracy]
    verdict = 'BLESSED' if blessing.blessed else 'NOT BLESSED'
    parts.insert(1, f'gate {percentages.percent(project.config.gate.val_accuracy)}: {verdict}')
    return ', '.join(parts)


def _export(result: NodeResult, project: Project) -> str:
    from thawline.components.export.record import ExportsRecord  # with SciPy

    record = ExportsRecord.read(result.outputs['exports'].uri)
    parts = [f'SavedModel {record.megabytes:.1f} MB']
    for export in record.exports:
        size = f' {export.megabytes:.1f} MB' if export.megabytes is not None else ''
        line = f'{export.kind}{size}' if export.placed else f'{export.kind} REFUSED: {export.why}'
        parts.append(line)
    if not record.blessed and project.config.serving.exports:
        parts.append('no other formats: the model is not blessed')
    if record.abstain:
        parts.append(
            f'abstains below {record.abstain.threshold:.3f}, answers '
            f'{percentages.percent(record.abstain.coverage)}'
        )
    elif record.abstain_note:
        parts.append(f'no abstention: {record.abstain_note}')
    return '; '.join(parts)


def _serving_check(result: NodeResult, project: Project) -> str:
    record = node_records.serving_record(result)
    if not record.checked:
        return 'skipped: the model is not blessed'
    if not record.passed:
        return f'REFUSED: {record.problems[0]}'
    line = 'predicts as evaluated'
    if 'serving_bytes' in record.latency:
        latency = record.latency['serving_bytes']
        line += f', {latency.p50:.0f} ms per image (p95 {latency.p95:.0f})'
    if record.memory_mb is not None:
        line += f', {record.memory_mb:,.0f} MB'
    return f'{line}, cold start {record.cold_start:.1f} s' if record.cold_start else line


def _push(result: NodeResult, project: Project) -> str:
    model = result.outputs['pushed_model']
    if not model.pushed:
        return 'NOT PUSHED: the gate or the serving check refused the model'
    how = 'already there as' if model.already_there else 'pushed as'
    return f'{how} version {model.properties[property_names.PUSHED_VERSION]} in {project.staging}'


def _bulk_prediction(result: NodeResult, project: Project) -> str:
    folder = pathlib.Path(result.outputs['inference_result'].uri)
    if not any(folder.glob('prediction_logs-*')):
        return 'NO PREDICTIONS: the model is not blessed, or failed the serving check'
    return f'predictions in {folder}'


def _last_report(result: NodeResult, project: Project) -> str:
    report = result.outputs.get('report')
    return f'compared with report {report.id}' if report else 'no earlier report'


_LINES: dict[str, Callable[[NodeResult, Project], str]] = {
    node_names.IMAGE_EXAMPLE_GEN: _ingestion,
    node_names.STATISTICS_GEN: _statistics,
    node_names.SCHEMA_GEN: lambda result, project: (
        f'inferred; review and keep it with: thawline schema infer (writes {project.schema})'
    ),
    node_names.IMPORT_SCHEMA_GEN: lambda result, project: f'reviewed schema {project.schema}',
    node_names.EXAMPLE_VALIDATOR: lambda result, project: 'compared with the schema',
    node_names.DATA_GATE: _data_gate,
    node_names.TRANSFORM: _transform,
    node_names.EMBEDDER: _embedding,
    node_names.DATA_AUDIT: _audit,
    node_names.TUNER: _tuning,
    node_names.TUNED: _tuned_settings,
    node_names.TRAINER: _training,
    node_names.BASELINE: _baseline,
    node_names.EVALUATOR: _evaluation,
    node_names.EXPORTER: _export,
    node_names.SERVING_CHECK: _serving_check,
    node_names.PUSHER: _push,
    node_names.UNLABELLED_EXAMPLE_GEN: lambda result, project: _ingested_images(
        result, ' to predict'
    ),
    node_names.BULK_INFERRER: _bulk_prediction,
    node_names.LAST_REPORT: _last_report,
    node_names.REPORT: lambda result, project: f'{result.outputs["report"].uri}/report.html',
}


def is_refusal(result: NodeResult) -> bool:
    """Whether a node that is done has refused the model."""
    if result.node == node_names.EVALUATOR:
        return not result.outputs['blessing'].blessed
    if result.node == node_names.SERVING_CHECK:
        record = node_records.serving_record(result)
        return record.checked and not record.passed
    return result.node == node_names.PUSHER and not result.outputs['pushed_model'].pushed


def line(result: NodeResult, project: Project) -> str:
    """The line of a node; empty for a node without one."""
    describe = _LINES.get(result.node)
    return describe(result, project) if describe else ''
