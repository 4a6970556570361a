"""Temperature and threshold in the served graph, and on the card beside it."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests.components import transformed as making
from tests.components.saved_model import binary
from tests.components.training import tiny
from tests.components.transformed import CLASSES, RESIZE, SIZE, Transformed
from thawline.components.saved_model import card, signatures
from thawline.components.saved_model.decision_rule import Rule


@pytest.mark.parametrize(
    'rule',
    [
        None,
        Rule(temperature=2.5),
        Rule(temperature=0.7, threshold=0.2, positive=0),
        Rule(temperature=3.0, threshold=0.75, positive=1),
        Rule(threshold=0.0, positive=1),
    ],
)
def test_served_answers_are_those_of_the_rule(
    rule: Rule | None, transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    rows = binary.rows(transformed)
    classifier = binary.classifier(rows)
    logits = binary.logits(classifier, rows)
    folder = binary.exported(classifier, transformed, tmp_path / 'model', rule)
    served = tf.saved_model.load(str(folder)).signatures
    images = tf.constant([row.image for row in rows])
    found = {k: v.numpy() for k, v in served['serving_bytes'](image_bytes=images).items()}

    rule = rule or Rule()
    expected, answers = rule.probabilities(logits), rule.answers(logits)
    assert set(found) == {'probabilities', 'label', 'score'}
    np.testing.assert_allclose(found['probabilities'], expected, atol=1e-5)
    assert found['label'].tolist() == [binary.TWO[i].encode() for i in answers]
    np.testing.assert_array_equal(
        found['score'], found['probabilities'][np.arange(len(rows)), answers]
    )
    if not rule.is_argmax:
        assert (answers != logits.argmax(axis=1)).any()  # the threshold makes a difference
    examples = tf.constant([making.example(row) for row in rows])
    by_example = served['serving_default'](examples=examples)
    for name, value in found.items():
        np.testing.assert_array_equal(by_example[name].numpy(), value)
    for none in (images[:0], images[:1]):
        assert served['serving_bytes'](image_bytes=none)['label'].shape == none.shape

    assert card.read(folder) == card.Card(binary.TWO, SIZE, RESIZE, rule)
    read = json.loads((folder / 'assets.extra' / 'thawline.json').read_text('utf-8'))
    assert read['classes'] == list(binary.TWO)
    positive = None if rule.is_argmax else binary.TWO[rule.positive]
    assert read['decision'] == {
        'temperature': rule.temperature,
        'threshold': rule.threshold,
        'positive': positive,
    }


def test_threshold_needs_two_classes(transformed: Transformed, tmp_path: pathlib.Path) -> None:
    classifier = tiny.classifier(len(CLASSES))
    with pytest.raises(ValueError, match=f'needs two classes. Received: {len(CLASSES)}'):
        signatures.export(
            classifier,
            CLASSES,
            transformed.output,
            SIZE,
            RESIZE,
            tmp_path / 'model',
            Rule(threshold=0.2),
        )
    assert not (tmp_path / 'model').exists()


def test_card_of_another_format_or_none(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        card.read(tmp_path)
    card.write(card.Card(CLASSES, 64, 'crop', Rule(1.5)), tmp_path)
    assert card.read(tmp_path).classes == CLASSES
    assert 'קטן' in (tmp_path / card.FILE).read_text('utf-8')
    (tmp_path / card.FILE).write_text('{"format": 2}', 'utf-8')
    with pytest.raises(ValueError, match='format 2; known: 1'):
        card.read(tmp_path)


def test_values_without_meaning_are_refused() -> None:
    for bad in ({'temperature': 0.0}, {'temperature': float('nan')}, {'threshold': 1.1}):
        with pytest.raises(ValueError):
            Rule(**bad)
    with pytest.raises(ValueError, match='0 or 1'):
        Rule(positive=2)
    with pytest.raises(ValueError, match='needs two classes'):
        Rule(threshold=0.2).answers(np.zeros((1, 3)))
