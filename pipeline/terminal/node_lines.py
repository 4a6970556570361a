"""One line a node: what it found. Reads the node's outputs, never the logs."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

from thawline.components.data_gate import findings
from thawline.components.ingestion import quarantine
from thawline.components.shared import node_names, percentages, property_names
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.node_records import serving_record, training_record, tuning_record
from thawline.pipeline.metadata.runs import NodeResult


def _ingested(result: NodeResult, project: Project) -> str:
    refused = result.outputs['quarantine']
    summary = json.loads(refused.properties[property_names.SUMMARY])
    splits = ', '.join(f'{name} {sum(n.values()):,}' for name, n in summary['splits'].items())
    line = f'{summary["written"]:,} images, {summary["quarantined"]:,} quarantined'
    if summary['quarantined']:
        line += f' (see {refused.uri}/{quarantine.REPORT_CSV})'
    return f'{line}; {splits}'


def _statistics(result: NodeResult, project: Project) -> str:
    names = json.loads(result.outputs['statistics'].properties.get('split_names', '[]'))
    return f'statistics of {", ".join(names)}'


def _inferred_schema(result: NodeResult, project: Project) -> str:
    return f'inferred; to review and keep it: thawline schema (writes {project.schema})'


def _imported_schema(result: NodeResult, project: Project) -> str:
    return f'reviewed schema {project.schema}'


def _validated(result: NodeResult, project: Project) -> str:
    return 'compared with the schema'


def _gated(result: NodeResult, project: Project) -> str:
    record = findings.read(result.outputs['verdict'].uri)
    classes = {label for split in record.facts.class_counts.values() for label in split}
    remarks = [finding.message for finding in record.findings]
    passed = f'{len(classes)} classes, fit to train on'
    return '; '.join([passed, *remarks])


def _transformed(result: NodeResult, project: Project) -> str:
    size = project.config.image_size
    return f'{size} x {size} pixels, {project.config.preprocessing.resize}'


def _embedded(result: NodeResult, project: Project) -> str:
    found = result.outputs['embeddings'].properties
    images, views = found['count'], found['views']
    line = f'{images:,} images'
    if views:
        line += f', {views} augmented {"view" if views == 1 else "views"} of each of train'
    milliseconds = 1000 * found['seconds'] / max(images, 1)
    return f'{line}, {found["dimension"]:,} features, {milliseconds:.1f} ms an image'


def _trained(result: NodeResult, project: Project) -> str:
    record = training_record(result)
    line = f'frozen base: val accuracy {percentages.percent(record["probe"]["val"]["accuracy"])}'
    if 'fine_tune' in record:
        tuned = record['fine_tune']
        line += (
            f', fine-tuned: {percentages.percent(tuned["val"]["accuracy"])} (epoch '
            f'{tuned["best_epoch"]} of {len(tuned["history"])}); kept: '
            f'{record["kept"].replace("_", "-")}, {percentages.percent(record["val"]["accuracy"])}'
        )
    augmented = record.get('augmentation')
    if augmented and augmented['measured'] and augmented['policy'] != 'standard':
        line += f'; augmentation {augmented["policy"]}, for the images do not bear standard'
    if record['left_out']:
        line += f'; left out for the budget: {" and ".join(record["left_out"])}'
    if record['decision']['positive']:
        line += f'; {record["decision"]["summary"]}'
    return line


def _searched(result: NodeResult, project: Project) -> str:
    record = tuning_record(result)
    chosen = 'the present settings' if record['chosen'] == 0 else f'trial {record["chosen"] + 1}'
    return f'{len(record["trials"])} trainings; chosen: {chosen}'


def _taken(result: NodeResult, project: Project) -> str:
    found = result.outputs.get('hyperparameters')
    return f'settings of tuning {found.id}' if found else 'nothing was tuned'


def _baseline(result: NodeResult, project: Project) -> str:
    found = result.outputs.get('model')
    return f'compared with model {found.id}' if found else 'no earlier blessed model'


def _evaluated(result: NodeResult, project: Project) -> str:
    evaluation, blessing = result.outputs['evaluation'], result.outputs['blessing']
    parts = []
    for split in ('val', 'test'):
        reached = runs.accuracy(evaluation, split)
        if reached:
            parts.append(f'{split} accuracy {reached}')
    verdict = 'BLESSED' if blessing.blessed else 'NOT BLESSED'
    parts.insert(1, f'gate {percentages.percent(project.config.gate.val_accuracy)}: {verdict}')
    return ', '.join(parts)


def _exported(result: NodeResult, project: Project) -> str:
    from thawline.components.export import record

    found = record.read(pathlib.Path(result.outputs['exports'].uri))
    parts = [f'SavedModel {found.megabytes:.1f} MB']
    for one in found.exports:
        size = f' {one.megabytes:.1f} MB' if one.megabytes is not None else ''
        parts.append(f'{one.kind}{size}' if one.placed else f'{one.kind} REFUSED: {one.why}')
    if not found.blessed and project.config.serving.exports:
        parts.append('nothing else of a model that was not blessed')
    if found.abstain:
        parts.append(
            f'abstains below {found.abstain.threshold:.3f}, answers '
            f'{percentages.percent(found.abstain.coverage)}'
        )
    elif found.abstain_note:
        parts.append(f'no abstention: {found.abstain_note}')
    return '; '.join(parts)


def _checked(result: NodeResult, project: Project) -> str:
    found = serving_record(result)
    if not found.checked:
        return 'not asked: the model was not blessed'
    if not found.passed:
        return f'REFUSED: {found.problems[0]}'
    line = 'answers as evaluated'
    if 'serving_bytes' in found.latency:
        latency = found.latency['serving_bytes']
        line += f', {latency.p50:.0f} ms an image (p95 {latency.p95:.0f})'
    if found.memory_mb is not None:
        line += f', {found.memory_mb:,.0f} MB'
    return f'{line}, cold start {found.cold_start:.1f} s' if found.cold_start else line


def _pushed(result: NodeResult, project: Project) -> str:
    pushed = result.outputs['pushed_model']
    if not pushed.pushed:
        return 'NOT PUSHED: the model was not blessed by the gate, or not by the serving check'
    return f'version {pushed.properties[property_names.PUSHED_VERSION]} in {project.staging}'


def _unlabelled(result: NodeResult, project: Project) -> str:
    refused = result.outputs['quarantine']
    summary = json.loads(refused.properties[property_names.SUMMARY])
    line = f'{summary["written"]:,} images to predict, {summary["quarantined"]:,} quarantined'
    if summary['quarantined']:
        line += f' (see {refused.uri}/{quarantine.REPORT_CSV})'
    return line


def _inferred(result: NodeResult, project: Project) -> str:
    folder = pathlib.Path(result.outputs['inference_result'].uri)
    if not any(folder.glob('prediction_logs-*')):
        return 'NOTHING PREDICTED: the model was not blessed'
    return f'predictions in {folder}'


def _last_report(result: NodeResult, project: Project) -> str:
    found = result.outputs.get('report')
    return f'compared with report {found.id}' if found else 'no earlier report'


def _reported(result: NodeResult, project: Project) -> str:
    return f'{result.outputs["report"].uri}/report.html'


_LINES: dict[str, Callable[[NodeResult, Project], str]] = {
    node_names.IMAGE_EXAMPLE_GEN: _ingested,
    node_names.STATISTICS_GEN: _statistics,
    node_names.SCHEMA_GEN: _inferred_schema,
    node_names.IMPORT_SCHEMA_GEN: _imported_schema,
    node_names.EXAMPLE_VALIDATOR: _validated,
    node_names.DATA_GATE: _gated,
    node_names.TRANSFORM: _transformed,
    node_names.EMBEDDER: _embedded,
    node_names.TUNER: _searched,
    node_names.TUNED: _taken,
    node_names.TRAINER: _trained,
    node_names.BASELINE: _baseline,
    node_names.EVALUATOR: _evaluated,
    node_names.EXPORTER: _exported,
    node_names.SERVING_CHECK: _checked,
    node_names.PUSHER: _pushed,
    node_names.UNLABELLED_EXAMPLE_GEN: _unlabelled,
    node_names.BULK_INFERRER: _inferred,
    node_names.LAST_REPORT: _last_report,
    node_names.REPORT: _reported,
}


def line(result: NodeResult, project: Project) -> str:
    """What the node found, or nothing for a node without a line of its own."""
    describe = _LINES.get(result.node)
    return describe(result, project) if describe else ''
