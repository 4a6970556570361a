"""The verdict on new images whose difference is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.pipeline.drift import drawn
from thawline.components.data_audit import two_sample
from thawline.pipeline.config.drift import Drift
from thawline.pipeline.drift import column_shift, judgement, units
from thawline.pipeline.drift.judgement import AnsweredImages, Judgement
from thawline.pipeline.drift.record import APPEARANCE, PREDICTED


def judge(new: AnsweredImages, policy: Drift | None = None) -> Judgement:
    earlier = drawn.earlier()
    answers = np.array(drawn.CLASSES)[earlier.labels]
    return judgement.judge(earlier, answers, new, drawn.CLASSES, policy or Drift())


def drifted(result: Judgement) -> set[str]:
    return {of.name for of in result.compared if of.drifted}


def test_images_of_the_same_kind_are_no_drift() -> None:
    results = [judge(drawn.new(40, seed)) for seed in range(5)]
    assert [result.verdict for result in results] == ['no drift'] * 5
    names = {of.name for of in results[0].compared}
    assert names == {APPEARANCE, 'brightness', PREDICTED}  # all else is of one value
    appearance = next(of for of in results[0].compared if of.name == APPEARANCE)
    assert appearance.lower is not None and appearance.lower < 0.6


def test_images_that_look_different() -> None:
    result = judge(drawn.new(40, 1, move=1.0))
    assert result.verdict == 'drift' and drifted(result) == {APPEARANCE}
    first = result.compared[0]
    assert first.name == APPEARANCE and first.value > 0.8 and first.p_value < 0.05
    assert first.lower is not None and first.lower > 0.7
    assert result.outliers > 0.1 > result.outliers_before
    assert len(result.different) == judgement.SHOWN
    assert result.different[0].likeness > 0.9 and result.different[0].name.endswith('.jpg')
    assert result.missing[0].score is None and result.missing[0].likeness < 0.1


def test_darker_images_and_other_classes() -> None:
    assert drifted(judge(drawn.new(40, 1, darker=0.2))) == {'brightness'}
    result = judge(drawn.new(40, 1, only=0))
    assert PREDICTED in drifted(result)
    share = next(of for of in result.classes if of.name == drawn.CLASSES[0])
    assert share.now == 1 and share.before == pytest.approx(1 / 3) and share.lower > 0.4
    # What is beyond chance and below its limit is no drift.
    tolerant = Drift(categories=0.9, auroc=1.0, numbers=1.0)
    assert judge(drawn.new(40, 1, only=0), tolerant).verdict == 'no drift'


def test_too_few_images_are_not_judged() -> None:
    result = judge(drawn.new(12, 1, move=3.0))
    assert result.verdict == 'too few' and not result.compared and result.independent == 12
    assert result.different[0].distance >= result.different[-1].distance
    assert result.outliers > 0.5
    copies = dataclasses.replace(drawn.new(40, 1, move=1.0), groups=np.repeat(['a', 'b'], 20))
    assert judge(copies).verdict == 'too few' and judge(copies).independent == 2


def test_copies_count_once() -> None:
    images = drawn.new(15, 1, move=1.0)
    twice = AnsweredImages(
        *(
            np.concatenate([value, value])
            for value in (images.ids, images.names, images.groups, images.features)
        ),
        {name: np.concatenate([values, values]) for name, values in images.facts.items()},
        np.concatenate([images.answers, images.answers]),
        np.concatenate([images.scores, images.scores]),
    )
    twice = dataclasses.replace(twice, groups=np.arange(30).astype(str))  # nobody says so
    result = judge(twice)
    assert result.independent == 15 and result.verdict == 'too few'


def test_the_training_images_themselves_are_no_drift() -> None:
    earlier = drawn.earlier()
    rows = np.random.default_rng(0).permutation(len(earlier))[:60]
    same = dataclasses.replace(
        drawn.new(60, 1),
        ids=earlier.ids[rows],
        groups=earlier.ids[rows],
        features=earlier.features[rows],
        facts={name: values[rows] for name, values in earlier.facts.items()},
        answers=np.array(drawn.CLASSES)[earlier.labels[rows]],
    )
    result = judge(same)
    assert result.verdict == 'no drift' and result.independent == 60
    appearance = next(of for of in result.compared if of.name == APPEARANCE)
    assert appearance.value == pytest.approx(0.5, abs=0.08)


def test_the_p_value_is_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(60):
        features = rng.normal(size=(90, 6)).astype(np.float32)
        test = two_sample.test(features, np.arange(90) < 25, np.arange(90).astype(str), seed)
        p_values.append(test.p_value)
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(np.array(p_values) <= 0.1) <= 0.2


def test_units_are_never_split() -> None:
    """Of ten units of ten images each, no direction can tell which five are new."""
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(20):
        features = np.repeat(rng.normal(size=(10, 6)), 10, axis=0) + rng.normal(0, 0.1, (100, 6))
        unit = np.repeat(np.arange(10), 10).astype(str)
        test = two_sample.test(features.astype(np.float32), np.arange(100) < 50, unit, seed)
        p_values.append(test.p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.2
    alone = two_sample.test(
        features.astype(np.float32), np.arange(100) < 50, np.arange(100).astype(str)
    )
    assert alone.p_value < 0.01  # what would be found without units
    with pytest.raises(ValueError, match='0 of 100 new'):
        two_sample.test(features, np.zeros(100, bool), unit)


def test_columns() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=300)
    same = column_shift.measure(numbers[:250], numbers[250:])
    moved = column_shift.measure(numbers[:250], numbers[250:] + 1)
    assert same and moved and same.measure == column_shift.JENSEN_SHANNON
    assert same.p_value > 0.05 > 1e-4 > moved.p_value and moved.distance > same.distance
    texts = np.repeat(['JPEG', 'PNG'], [90, 10])
    changed = column_shift.measure(texts, np.repeat(['JPEG', 'PNG'], [10, 10]))
    assert changed and changed.measure == column_shift.LARGEST_CHANGE
    assert changed.distance == pytest.approx(0.4, abs=0.01) and changed.p_value < 0.01
    assert column_shift.measure(texts[:90], texts[:5]) is None
    assert column_shift.measure(np.full(9, np.nan), numbers) is None


def test_near_duplicates_are_tied() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(1.0, 1.0, size=(60, 32))
    features[1] = features[0] + rng.normal(0, 0.01, 32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    names = np.array([f'i{row:02d}' for row in range(60)])
    tied = units.tie(features.astype(np.float32), names, np.arange(60) >= 40)
    assert tied[1] == tied[0] and len(np.unique(tied)) == 59
    assert units.first_rows(tied).tolist() == [0, *range(2, 60)]
    # Five new images of a kind of their own are close to each other, and no copies.
    features[40:45] = np.eye(32)[0] + rng.normal(0, 0.5, (5, 32)) / 32**0.5
    features[50] = features[40]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    tied = units.tie(features.astype(np.float32), names, np.arange(60) >= 40)
    assert tied[50] == tied[40] and len(np.unique(tied[40:45])) == 5
