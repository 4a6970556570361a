"""A model against the blessed one after a change of the split and of the preprocessing.

Most of the new test images were trained on by the earlier model, and the Embedder's features are of
other pixels than that model sees.
"""

from __future__ import annotations

import json

import pytest
import tensorflow as tf

from tests.e2e.conftest import TINY_BASE, Project
from thawline.components.evaluation import predictions
from thawline.components.saved_model.runner import SavedModelRunner
from thawline.components.statistics.paired import mcnemar

pytestmark = pytest.mark.e2e

DATA = '{{source: images, split: {{train: 0.4, val: 0.2, test: 0.4, seed: {seed}}}}}'


def images_of(project: Project, split: str) -> dict[str, bytes]:
    """Serialized examples of the newest ingestion by the id of the image."""
    folder = project.artifact('ImageExampleGen', 'examples') / f'Split-{split}'
    found = {}
    for file in folder.glob('*.gz'):
        for record in tf.data.TFRecordDataset(str(file), 'GZIP').as_numpy_iterator():
            feature = tf.train.Example.FromString(record).features.feature['image_id']
            found[feature.bytes_list.value[0].decode()] = record
    return found


def test_only_images_that_neither_model_has_seen_are_compared(make_project) -> None:
    project = make_project(images=60)
    sections = {
        'model': TINY_BASE,
        'gate': '{val_accuracy: 0.4, max_drop: 1.0, paired_test: 1.0e-9}',
        'training': '{mode: probe, augmentation: none}',
    }
    project.write(**sections, data=DATA.format(seed=0))
    first = project.thawline('run')
    assert first.returncode == 0, first.stdout + first.stderr
    trained, chose = images_of(project, 'train').keys(), images_of(project, 'val').keys()
    first_table = predictions.read(str(project.artifact('Evaluator', 'evaluation')))
    held_out = dict(zip(first_table.ids, first_table.answers, strict=True))
    baseline = SavedModelRunner(str(project.artifact('Trainer', 'model') / 'Format-Serving'))

    project.write(
        **sections,
        data=DATA.format(seed=1),
        preprocessing='{image_size: 32, resize: crop}',
    )
    second = project.thawline('run')
    assert second.returncode == 0, second.stdout + second.stderr
    judged = images_of(project, 'test') | images_of(project, 'val')
    unseen = sorted(judged.keys() - trained)
    assert 20 <= len(unseen) < len(judged)
    evaluation = project.artifact('Evaluator', 'evaluation')
    table = predictions.read(str(evaluation))
    assert table.baseline_answers is not None
    asked = table.baseline_answers != predictions.NOT_ASKED
    assert sorted(table.ids[asked]) == unseen
    assert set(table.splits[asked]) == {'test', 'val'}
    # What chose the first model counts by the answer that was held out from it then.
    served = baseline('serving_default', examples=[judged[name] for name in table.ids[asked]])
    answers = [
        table.classes[held_out[name]] if name in chose else label.decode()
        for name, label in zip(table.ids[asked], served['label'], strict=True)
    ]
    assert answers == [table.classes[answer] for answer in table.baseline_answers[asked]]

    hits = (table.answers == table.labels)[asked]
    others = (table.baseline_answers == table.labels)[asked]
    won, lost = int((hits & ~others).sum()), int((others & ~hits).sum())
    rules = json.loads((evaluation / 'verdict.json').read_text('utf-8'))['rules']
    value = {rule['name']: rule['value'] for rule in rules}
    assert value['paired_test'] == mcnemar(won, lost)
    assert value['max_drop'] == (lost - won) / len(unseen)
    report = json.loads((project.artifact('Report', 'report') / 'content.json').read_text('utf-8'))
    shown = [report['parts'][split]['unseen'] for split in ('val', 'test')]
    assert sum(part['model']['n'] for part in shown) == len(unseen)
    right = sum(part['baseline']['share'] * part['baseline']['n'] for part in shown)
    assert right == pytest.approx(others.sum())
