"""The model card: what the model is and how it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from thawline.components.report.content import EpochScores, Fact, FactCard, LearningCurves
from thawline.components.saved_model.card import Card as Served
from thawline.components.shared import percentages
from thawline.components.shared.durations import duration
from thawline.components.shared.lineage import Step
from thawline.components.shared.splits import TRAIN, VAL
from thawline.components.training.record import TrainingRecord


@dataclasses.dataclass(frozen=True)
class ModelCardInputs:
    """What the model card is made of.

    Attributes:
        record: the Trainer's `training.json`.
        served: the card inside the exported model.
        megabytes: of the exported model, in 10**6 bytes.
        config: of the project, as JSON values.
        steps: the executions in its lineage.
        model_id: of the model in ML Metadata.
    """

    record: TrainingRecord
    served: Served
    megabytes: float
    config: Mapping[str, Any]
    steps: Sequence[Step]
    model_id: int


def learning_curves(record: TrainingRecord) -> LearningCurves:
    """The learning curves."""
    return LearningCurves(
        probe_train=record.probe.train.accuracy,
        probe_val=record.probe.val.accuracy,
        epochs=tuple(
            EpochScores(e.epoch, e.train_accuracy, e.val_accuracy, e.val_loss, e.blocks)
            for e in record.epochs
        ),
        best_epoch=record.fine_tune.best_epoch if record.fine_tune else None,
        kept=record.kept,
        kept_val=record.val.accuracy,
        left_out=record.left_out,
        budget=record.budget,
        folds=record.validation.folds,
        refitted=record.validation.refitted,
    )


def card(inputs: ModelCardInputs) -> FactCard:
    """The model card."""
    record, rule = inputs.record, inputs.served.rule
    base = record.base
    kept = {
        'probe': 'the head on the frozen base',
        'fine_tuned': 'the thawed base with its head',
        'interpolated': 'weights between the frozen and the thawed base',
        'averaged': "the mean of the weights of the folds' models",
    }[record.kept]
    answer = 'the most probable class'
    if not rule.is_argmax:
        positive = inputs.served.classes[rule.positive]
        answer = f'{positive} if its probability is at least {rule.threshold:.3f}'
    total = sum(step.seconds for step in inputs.steps)
    facts = [
        Fact('Base', base.backbone, base.weights),
        Fact('Hash of the base weights', f'sha256 {base.weights_digest}'),
        Fact('Input', f'{base.image_size} x {base.image_size} pixels, {inputs.served.resize}'),
        Fact('Kept', kept, record.decision.summary),
        Fact('Prediction', answer, f'logits are divided by {rule.temperature:.3f}'),
        *_augmentation_facts(record),
        *_test_time_facts(record),
        *_validation_facts(record),
        Fact('Size', f'{inputs.megabytes:,.1f} MB'),
        Fact('Model', f'artifact {inputs.model_id}', _lineage(inputs.steps)),
        Fact(
            'Time of the nodes',
            duration(total) if inputs.steps else 'not recorded',
            ', '.join(f'{step.node} {duration(step.seconds)}' for step in inputs.steps),
        ),
        Fact('Environment', ', '.join(f'{name} {v}' for name, v in record.environment.items())),
        Fact(
            'Configuration',
            str(inputs.config.get('name', '')),
            yaml.safe_dump(dict(inputs.config), sort_keys=False, allow_unicode=True),
        ),
    ]
    return FactCard('model', 'The model', tuple(facts))


def _validation_facts(record: TrainingRecord) -> list[Fact]:
    """What the weights learned from, and whose answers they are judged by."""
    validation = record.validation
    learned, chose = record.images[TRAIN], f'selected on {record.images[VAL]:,} val images'
    if validation.folds:
        chose = f'selected in {len(validation.folds)} folds'
    facts = [Fact('Trained on', f'{validation.refitted or learned:,} images', chose)]
    if validation.judged is None:
        return facts
    if validation.folds:
        how = (
            f'{len(validation.folds)} trainings: each fold is judged by one that did not learn '
            'from it; the next fold selected, the others trained'
        )
    else:
        how = 'each val image is judged without its part in the selection'
    if validation.refitted:
        how += f'; what was selected was then fitted to all {validation.refitted:,} images'
    judged = f'{percentages.percent(validation.judged.accuracy)} of {validation.judged.n:,} images'
    return [*facts, Fact('Judged by', judged, how)]


def _augmentation_facts(record: TrainingRecord) -> list[Fact]:
    """How images are augmented in fine-tuning, and the measurements behind the choice."""
    augmentation = record.augmentation
    if augmentation is None:
        return []
    if not augmentation.measured:
        return [Fact('Augmentation', augmentation.policy)]
    scores = ', '.join(
        f'{name.replace("_", "-")} {percentages.percent(affinity.accuracy)} (log loss '
        f'{affinity.increase:+.3f})'
        for name, affinity in augmentation.measured.items()
    )
    why = f'the head on the frozen base, on augmented val images: {scores}'
    return [Fact('Augmentation', f'{augmentation.policy}, chosen by measurement', why)]


def _test_time_facts(record: TrainingRecord) -> list[Fact]:
    """What test-time augmentation gained, where it is configured."""
    without = record.without_test_time_augmentation
    if without is None:
        return []
    accuracies = [percentages.percent(scores.accuracy) for scores in (record.val, without)]
    return [
        Fact(
            'Test-time augmentation',
            'mean over the image and its mirror images',
            'val accuracy {}, without it {}'.format(*accuracies),
        )
    ]


def _lineage(steps: Sequence[Step]) -> str:
    artifacts = (
        f'{key} {id_} by {step.node} in run {step.run}'
        for step in steps
        for key, id_ in step.outputs.items()
    )
    return '; '.join(artifacts)
