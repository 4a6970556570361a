"""What the model is and how it came about."""

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


@dataclasses.dataclass(frozen=True)
class ModelCardInputs:
    """What is known of the model.

    Attributes:
        record: the Trainer's `training.json`.
        served: what the exported model says of itself.
        megabytes: of the exported model, in 10**6 bytes.
        config: of the project, as JSON values.
        steps: the executions that led to it.
        model_id: of the model in ML Metadata.
    """

    record: Mapping[str, Any]
    served: Served
    megabytes: float
    config: Mapping[str, Any]
    steps: Sequence[Step]
    model_id: int


def learning_curves(record: Mapping[str, Any]) -> LearningCurves:
    """The learning curves."""
    tuned = record.get('fine_tune', {})
    return LearningCurves(
        probe_train=record['probe']['train']['accuracy'],
        probe_val=record['probe']['val']['accuracy'],
        epochs=tuple(
            EpochScores(
                e['epoch'], e['train_accuracy'], e['val_accuracy'], e['val_loss'], e['blocks']
            )
            for e in tuned.get('history', ())
        ),
        best_epoch=tuned.get('best_epoch'),
        kept=record['kept'],
        kept_val=record['val']['accuracy'],
        left_out=tuple(record['left_out']),
    )


def card(facts: ModelCardInputs) -> FactCard:
    """The model card."""
    record, rule = facts.record, facts.served.rule
    base, counts = record['base'], record['images']
    kept = {
        'probe': 'the head on the frozen base',
        'fine_tuned': 'the thawed base with its head',
        'interpolated': 'weights between the frozen and the thawed base',
    }[record['kept']]
    answer = 'the most probable class'
    if not rule.is_argmax:
        positive = facts.served.classes[rule.positive]
        answer = f'{positive} from a probability of {rule.threshold:.3f} on'
    total = sum(step.seconds for step in facts.steps)
    environment = record['environment']
    lines = [
        Fact('Base', base['backbone'], base['weights']),
        Fact('Hash of the base weights', f'sha256 {base["weights_digest"]}'),
        Fact('Input', f'{base["image_size"]} x {base["image_size"]} pixels, {facts.served.resize}'),
        Fact('Kept', kept, record['decision'].get('summary', '')),
        Fact('Answer', answer, f'logits are divided by {rule.temperature:.3f}'),
        *_augmentation_facts(record),
        *_test_time_facts(record),
        Fact('Trained on', f'{counts["train"]:,} images', f'chosen on {counts["val"]:,} of val'),
        Fact('Size', f'{facts.megabytes:,.1f} MB'),
        Fact('Model', f'artifact {facts.model_id}', _lineage(facts.steps)),
        Fact(
            'Time',
            duration(total) if facts.steps else 'not recorded',
            ', '.join(f'{step.node} {duration(step.seconds)}' for step in facts.steps),
        ),
        Fact('Environment', ', '.join(f'{name} {v}' for name, v in environment.items())),
        Fact(
            'Configuration',
            str(facts.config.get('name', '')),
            yaml.safe_dump(dict(facts.config), sort_keys=False, allow_unicode=True),
        ),
    ]
    return FactCard('model', 'The model', tuple(lines))


def _augmentation_facts(record: Mapping[str, Any]) -> list[Fact]:
    """How the images were changed in fine-tuning, and what of that was measured."""
    if 'augmentation' not in record:
        return []
    chosen, measured = record['augmentation']['policy'], record['augmentation']['measured']
    if not measured:
        return [Fact('Augmentation', chosen)]
    found = ', '.join(
        f'{name.replace("_", "-")} {percentages.percent(one["accuracy"])} (log loss '
        f'{one["increase"]:+.3f})'
        for name, one in measured.items()
    )
    why = f'the head on the frozen base, on changed images of val: {found}'
    return [Fact('Augmentation', f'{chosen}, chosen by measurement', why)]


def _test_time_facts(record: Mapping[str, Any]) -> list[Fact]:
    """What test-time augmentation did, where it was asked for."""
    without = record.get('without_test_time_augmentation')
    if without is None:
        return []
    accuracies = [percentages.percent(scored['accuracy']) for scored in (record['val'], without)]
    return [
        Fact(
            'Test-time augmentation',
            'the mean over the image and its mirror images',
            'val accuracy {}, of the image alone {}'.format(*accuracies),
        )
    ]


def _lineage(steps: Sequence[Step]) -> str:
    made = (
        f'{key} {id_} by {step.node} in run {step.run}'
        for step in steps
        for key, id_ in step.outputs.items()
    )
    return '; '.join(made)
