"""The provenance of a model, from its images to production.

The metadata alone suffices. The records of the training and the verdict add detail as long as their
files exist.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from thawline.components.evaluation.gate.record import Verdict
from thawline.components.shared import node_names, property_names
from thawline.components.shared.durations import duration
from thawline.components.shared.errors import DataError
from thawline.components.shared.percentages import percent
from thawline.components.shared.records import Record
from thawline.components.training.params import Training
from thawline.components.training.record import TrainingRecord, ValidationRecord
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.lineage import Execution
from thawline.pipeline.metadata.runs import Output
from thawline.pipeline.registry import ledger, models
from thawline.pipeline.registry.ledger import Deployment
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry

_Record = TypeVar('_Record', bound=Record)
_DIGEST = 12  # of a digest that is shown
# Measurements of the serving check, by the name of their property.
_MEASURED = {
    property_names.LATENCY_MS: '{:.0f} ms per image',
    property_names.MEMORY_MB: '{:,.0f} MB',
    property_names.COLD_START: 'cold start {:.1f} s',
}


@dataclasses.dataclass(frozen=True)
class Chapter:
    """A part of the provenance: its title and its lines."""

    title: str
    lines: tuple[str, ...]


def describe(registry: Registry, model: Model) -> list[Chapter]:
    """The provenance of a model; chapters without records are left out."""
    chapters = {
        f'Model {model.id}': _model(registry, model),
        'Images': _images(registry, model),
        'Data checks': _gates(registry, model),
        'Preprocessing': _preprocessing(registry, model),
        'Base': _base(registry, model),
        'Training': _training(registry, model),
        'Evaluation': _evaluation(registry, model),
        'Export': _export(registry, model),
        'Serving check': _check(registry, model),
        'Code': _code(registry, model),
        'Deployments': _deployments(registry, model),
    }
    parts = [Chapter(title, tuple(lines)) for title, lines in chapters.items()]
    return [chapter for chapter in parts if chapter.lines]


def _model(registry: Registry, model: Model) -> Iterator[str]:
    yield f'trained in run {model.run}, {model.made:%Y-%m-%d %H:%M}'
    reuses = [
        execution.run
        for execution in registry.lineage.of_node(node_names.TRAINER)
        if execution.state == 'cached' and model.id in execution.outputs.get('model', ())
    ]
    if reuses:
        later = f'{len(reuses)} later {"run" if len(reuses) == 1 else "runs"}'
        yield f'reused from the cache by {later}, most recently {reuses[-1]}'
    folder = model.folder
    yield f'files {folder}' if folder else f'files are gone from {model.folders[0]}'


def _images(registry: Registry, model: Model) -> Iterator[str]:
    data = models.training_data(registry.lineage, model)
    ingestion = _step(registry, model, node_names.IMAGE_EXAMPLE_GEN)
    if data is None or ingestion is None:
        return
    yield f'source {data.source}, ingested in run {ingestion.run}'
    yield f'fingerprint of the source {data.fingerprint[:_DIGEST] or "not recorded"}'
    yield f'{data.images.written:,} images, {data.images.quarantined:,} quarantined'
    for part, counts in data.images.parts.items():
        each = ', '.join(f'{name} {count:,}' for name, count in counts.items())
        yield f'{part} {sum(counts.values()):,}: {each}'
    side = ingestion.properties.get(property_names.MAX_SIDE)
    yield f'split by group with seed {_split_seed(ingestion)}; longest side {side} pixels'


def _split_seed(ingestion: Execution) -> object:
    """Of the split; older ingestions have it as a property of its own."""
    split = models.json_object(ingestion.properties.get(property_names.SPLIT))
    return split.get('seed', ingestion.properties.get(property_names.SEED, 'not recorded'))


def _gates(registry: Registry, model: Model) -> Iterator[str]:
    schema = _step(registry, model, node_names.IMPORT_SCHEMA_GEN) or _step(
        registry, model, node_names.SCHEMA_GEN
    )
    if schema is not None:
        reviewed = schema.properties.get('schema_file')
        yield f'reviewed schema {reviewed}' if reviewed else 'schema inferred from the images'
    ingestion = _step(registry, model, node_names.IMAGE_EXAMPLE_GEN)
    quarantine = registry.lineage.output(ingestion, 'quarantine')
    gate = (
        registry.lineage.newest_consumer(quarantine.id, 'verdict', 'quarantine')
        if quarantine
        else None
    )
    if gate is not None:
        yield f'data gate passed: {_settings(gate.properties.get("policy"))}'


def _preprocessing(registry: Registry, model: Model) -> Iterator[str]:
    settings = models.trainer_settings(model)
    if 'image_size' in settings:
        side = settings['image_size']
        yield f'{side} x {side} pixels, {settings.get("resize", "?")}'


def _base(registry: Registry, model: Model) -> Iterator[str]:
    base = models.trainer_settings(model)['model']
    yield f'{base.get("backbone", "?")}, weights {base.get("weights", "?")}'
    run = registry.lineage.output(model.trainer, 'model_run')
    digest = (run.properties.get(property_names.WEIGHTS_DIGEST) if run else None) or (
        record.base.weights_digest if (record := _record(registry, model)) else None
    )
    yield f'digest of the weights {digest or "not available"}'
    embedder = _step(registry, model, node_names.EMBEDDER)
    features = registry.lineage.output(embedder, 'embeddings')
    if features is not None:
        properties = features.properties
        yield f'{properties.get("dimension"):,} features from {properties.get("count"):,} images'


def _training(registry: Registry, model: Model) -> Iterator[str]:
    yield f'took {duration(model.trainer.seconds)}'
    record = _record(registry, model)
    if record:
        validation = record.validation
        where = 'on the folds that selected' if validation.folds else 'on val'
        line = f'probe: accuracy {percent(record.probe.val.accuracy)} {where}'
        if tuned := record.fine_tune:
            line += f'; fine-tuned, {tuned.blocks} blocks: {percent(tuned.val.accuracy)}'
            line += f' (epoch {tuned.best_epoch} of {len(tuned.history)})'
        yield f'{line}; kept: {record.kept_name}'
        yield from _judged(validation)
        if record.decision.summary:
            yield record.decision.summary
    defaults = Training().model_dump(mode='json')
    changed = _changed(models.trainer_settings(model)['training'], defaults)
    yield f'non-default settings: {", ".join(changed) or "none"}'


def _judged(validation: ValidationRecord) -> Iterator[str]:
    """Whose answers judged, and what ships."""
    if validation.outcome:
        yield validation.outcome
    if validation.refitted:
        yield f'then fitted to all {validation.refitted:,} images'


def _evaluation(registry: Registry, model: Model) -> Iterator[str]:
    if model.evaluator is None or model.evaluation is None:
        yield 'never evaluated'
        return
    yield f'{"BLESSED" if model.blessed else "NOT BLESSED"} in run {model.evaluator.run}'
    for split in ('val', 'test'):
        accuracy = runs.accuracy(model.evaluation, split)
        if accuracy:
            images = model.evaluation.properties.get(property_names.images(split), '?')
            yield f'{split} accuracy {accuracy} on {images} images'
    properties = model.blessing.properties if model.blessing else {}
    baseline = properties.get(property_names.BASELINE_MODEL_ID)
    yield f'compared with model {baseline}' if baseline else 'not compared with an earlier model'
    verdict = _if_readable(Verdict, model.evaluation)
    if verdict is None:
        yield f'rules {_settings(model.evaluator.properties.get("gate"))}'
        return
    for rule in verdict.rules:
        mark = {True: 'passed', False: 'FAILED', None: 'not judged'}[rule.holds]
        yield f'{mark}: {rule.sentence}'


def _export(registry: Registry, model: Model) -> Iterator[str]:
    if model.exporter is None or model.exported is None:
        return
    yield f'exported in run {model.exporter.run}: {models.saved_model(model.exported.uri)}'
    yield f'with {", ".join(model.formats)}' if model.formats else 'without other formats'


def _check(registry: Registry, model: Model) -> Iterator[str]:
    if model.checker is None:
        return
    properties = model.serving_record.properties if model.serving_record else {}
    if not properties.get(property_names.CHECKED, 1):
        yield 'skipped: the model was not blessed'
        return
    passed = {True: 'passed', False: 'FAILED', None: 'skipped'}[model.infra_blessed]
    yield f'{passed} in run {model.checker.run}'
    measurements = [
        text.format(properties[name]) for name, text in _MEASURED.items() if name in properties
    ]
    if measurements:
        yield ', '.join(measurements)
    if properties.get(property_names.PROBLEMS):
        yield str(properties[property_names.PROBLEMS])


def _code(registry: Registry, model: Model) -> Iterator[str]:
    steps = registry.lineage.ancestors(model.id)
    steps += [step for step in (model.evaluator, model.exporter, model.checker) if step]
    for step in steps:
        config = models.json_object(step.properties.get(property_names.CUSTOM_CONFIG))
        properties = {**config, **step.properties}
        if properties.get(property_names.CODE_DIGEST):
            yield f'{step.node} {properties[property_names.CODE_DIGEST]}'
    version = registry.lineage.artifacts[model.id].properties.get('tfx_version')
    if version:
        yield f'TFX {version}'


def _deployments(registry: Registry, model: Model) -> Iterator[str]:
    for version, push in sorted(models.pushes(registry.lineage).items()):
        if push.model == model.id:
            yield f'pushed to staging as version {version}'
    deployments = [d for d in registry.deployments if d.state == 'complete' and d.model == model.id]
    for deployment in deployments:
        yield from _deployment(registry, deployment)
    if not deployments:
        yield 'never promoted'


def _deployment(registry: Registry, deployment: Deployment) -> Iterator[str]:
    forced = f' (forced: {deployment.forced})' if deployment.forced else ''
    reason = f': {deployment.reason}' if deployment.reason else ''
    how = 'promoted to' if deployment.action == ledger.PROMOTE else 'restored by rollback to'
    yield (
        f'{deployment.when:%Y-%m-%d %H:%M} {how} {deployment.stage} as version '
        f'{deployment.version} by {deployment.who}{forced}{reason}'
    )
    if deployment.replaced_model:
        yield f'  replaced model {deployment.replaced_model}, version {deployment.replaced_version}'
    later = [
        other
        for other in registry.deployments
        if other.state == 'complete'
        and (other.stage, other.destination) == (deployment.stage, deployment.destination)
        and other.id > deployment.id
    ]
    if later:
        end = later[0]
        yield f'  until {end.when:%Y-%m-%d %H:%M}: {ledger.noun(end)} of model {end.model}'
    else:
        yield f'  current in {deployment.destination}, digest {deployment.digest[:_DIGEST]}'


def _step(registry: Registry, model: Model, node: str) -> Execution | None:
    """The newest execution of a node that the model derives from."""
    executions = [e for e in registry.lineage.ancestors(model.id) if e.node == node]
    return executions[-1] if executions else None


def _record(registry: Registry, model: Model) -> TrainingRecord | None:
    run = registry.lineage.output(model.trainer, 'model_run')
    return _if_readable(TrainingRecord, run) if run else None


def _if_readable(kind: type[_Record], artifact: Output) -> _Record | None:
    """A record; None where its file is missing or damaged."""
    try:
        return kind.read(artifact.uri)
    except (OSError, DataError):
        return None


def _settings(settings: Any) -> str:
    """Settings on one line, without empty ones."""
    shown = (
        f'{name}={json.dumps(value) if isinstance(value, list | dict) else value}'
        for name, value in models.json_object(settings).items()
        if value not in (None, [], {}, '')
    )
    return ', '.join(shown) or 'none'


def _changed(
    settings: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = ''
) -> list[str]:
    """'fine_tune.epochs=4' for each setting other than the default."""
    lines = []
    for name, value in settings.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            lines += _changed(value, default, f'{prefix}{name}.')
        elif value != default:
            lines.append(f'{prefix}{name}={value}')
    return lines
