"""The Evaluator on exported models: its numbers are scikit-learn's, and it blesses as TFX does."""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from tfx.types import standard_artifacts

import tfx.components  # noqa: F401  isort: skip - tfma is not whole without it
import tensorflow_model_analysis as tfma  # isort: skip
from tensorflow_model_analysis.proto.validation_result_pb2 import ValidationResult  # isort: skip

from tests.components import transformed as making
from tests.components.evaluation import evaluating
from tests.components.evaluation.evaluating import Evaluated
from tests.components.transformed import Row, Transformed
from thawline.components.evaluation import executor, predictions
from thawline.components.evaluation.gate import verdict
from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import RuleResult, Verdict
from thawline.components.evaluation.params import Evaluation
from thawline.components.saved_model import card
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared import judged_files
from thawline.components.shared.errors import DataError
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.statistics import paired, proportions

HOSTILE = ('</script><b>&', '"quoted" \'name\'', '🐈\u200d⬛ cat', 'קטן قط', 'a|b`c\\d')


def rows(classes: tuple[str, ...], per_class: int, seed: int) -> list[Row]:
    """Images with these classes in place of their own."""
    renamed = dict(zip(making.CLASSES, classes, strict=False))
    return [
        Row(row.image, renamed[row.label], row.image_id)
        for row in making.rows(per_class, seed)
        if row.label in renamed
    ]


def verdict_of(evaluated: Evaluated) -> Verdict:
    return Verdict.read(evaluated.evaluation.uri)


def rule_of(evaluated: Evaluated, name: str) -> RuleResult:
    (rule,) = (rule for rule in verdict_of(evaluated).rules if rule.name == name)
    return rule


def plain(metrics: dict[str, Any]) -> dict[str, Any]:
    """Values as TFMA's viewer has them, as numbers and arrays."""
    values: dict[str, Any] = {}
    for name, value in metrics.items():
        if 'doubleValue' in value:
            values[name] = float(value['doubleValue'])
        elif 'float64Values' in value.get('arrayValue', {}):
            values[name] = np.array(value['arrayValue']['float64Values'], float)
    return values


def loaded(evaluated: Evaluated) -> dict[frozenset, dict[str, Any]]:
    result = tfma.load_eval_result(evaluated.evaluation.uri)
    return {frozenset(key): plain(sections['']['']) for key, sections in result.slicing_metrics}


def test_numbers_are_those_of_scikit_learn_on_the_models_own_answers(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    parts = {'val': rows(HOSTILE, 7, 1), 'test': rows(HOSTILE, 5, 2)}
    splits = {
        split: [
            evaluating.example(
                row, split, {'serial': row.image_id, 'site': f'<{n % 2}>'}, group=f'g{n // 3}'
            )
            for n, row in enumerate(part)
        ]
        for split, part in parts.items()
    }
    model = evaluating.exported(tmp_path / 'model', transformed, HOSTILE)
    evaluated = evaluating.evaluate(
        tmp_path,
        splits,
        model,
        gate=Gate(val_accuracy=0.0, strictness='point'),
        settings=Evaluation(
            smallest_slice=16, most_values=30, crossed=(('meta_site', 'size_bucket'),)
        ),
    )
    slices = loaded(evaluated)
    for split, some in splits.items():
        labels = np.array([HOSTILE.index(row.label) for row in parts[split]])
        served = evaluating.serve(model, some)
        answers = np.array([HOSTILE.index(name.decode()) for name in served['label']])
        numbers = slices[frozenset({('split', split)})]
        _assert_like_scikit_learn(numbers, labels, answers, served['probabilities'])
        for place, name in enumerate(HOSTILE):
            of_class = slices[frozenset({('split', split), ('label', name)})]
            assert of_class['accuracy'] == (answers == labels)[labels == place].mean()
            assert of_class['small_slice'] == 1.0 and 'macro_f1' not in of_class
        for n in range(2):
            site = slices[frozenset({('split', split), ('meta_site', f'<{n}>')})]
            rows_of_site = np.arange(len(labels)) % 2 == n
            assert site['accuracy'] == (answers == labels)[rows_of_site].mean()
            assert site['small_slice'] == (rows_of_site.sum() < 16)
        interval = evaluating.interval(evaluated.evaluation.uri, split)
        assert interval is not None and interval.n == len(some)
        assert evaluated.evaluation.get_float_custom_property(f'{split}_accuracy') == interval.share
        assert evaluated.evaluation.get_float_custom_property(f'{split}_lower') == interval.lower
    columns = {column for key in slices for column, _ in key}
    assert columns == {
        'split', 'label', 'meta_site', 'source_format', 'brightness_bucket', 'contrast_bucket',
        'sharpness_bucket', 'size_bucket',
    }  # fmt: skip
    crossed = {key for key in slices if {'meta_site', 'size_bucket'} <= {name for name, _ in key}}
    assert len(crossed) > 4

    table = evaluated.predictions
    assert table.classes == HOSTILE and len(table) == 60
    assert table.columns['meta_serial'].tolist() == table.ids.tolist()
    groups = {row.image_id: f'g{n // 3}' for part in parts.values() for n, row in enumerate(part)}
    assert dict(zip(table.ids, table.clusters, strict=True)) == groups
    assert verdict_of(evaluated).blessed
    assert (pathlib.Path(evaluated.blessing.uri) / 'BLESSED').is_file()
    assert evaluated.blessing.get_int_custom_property('blessed') == 1
    assert evaluated.blessing.get_int_custom_property('current_model_id') == evaluating.MODEL_ID


def test_a_group_is_judged_as_one(transformed: Transformed, tmp_path: pathlib.Path) -> None:
    """By the means of its probabilities; TFMA, which must agree, joins them by itself."""
    classes = ('no', 'yes')
    parts = {'val': rows(classes, 8, 1), 'test': rows(classes, 4, 2)}
    splits = {
        split: [
            evaluating.example(row, split, group=f'{split} {row.label} {n % 3}')
            for n, row in enumerate(part)
        ]
        for split, part in parts.items()
    }
    model = evaluating.exported(tmp_path / 'model', transformed, classes, Rule(1.3, 0.4, 1))
    evaluated = evaluating.evaluate(
        tmp_path, splits, model, gate=Gate(val_accuracy=0.1, unit='group')
    )
    chances = evaluating.serve(model, splits['val'])['probabilities'][:, 1]
    groups: dict[tuple[str, int], list[float]] = {}
    for n, (row, chance) in enumerate(zip(parts['val'], chances, strict=True)):
        groups.setdefault((row.label, n % 3), []).append(chance)
    hits = sum((np.mean(some) >= 0.4) == (name == 'yes') for (name, _), some in groups.items())
    result = rule_of(evaluated, 'val_accuracy')
    assert result.value == proportions.lower_bound(int(hits), len(groups))
    assert f'{hits} of {len(groups)} groups correct' in result.sentence
    numbers = loaded(evaluated)[frozenset({('split', 'val')})]
    assert numbers['gate_lower_bound'] == result.value
    assert numbers['gate_accuracy'] == hits / len(groups)
    assert numbers['images'] == 16.0
    assert evaluated.evaluation.get_int_custom_property('val_images') == 16


def test_a_group_of_several_labels_cannot_be_judged_as_one(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    classes = ('no', 'yes')
    some = [evaluating.example(row, 'val', group='one leaf') for row in rows(classes, 2, 1)]
    model = evaluating.exported(tmp_path / 'model', transformed, classes)
    with pytest.raises(DataError, match="the images of 'one leaf' have several"):
        evaluating.evaluate(tmp_path, {'val': some, 'test': []}, model, gate=Gate(unit='group'))


def _assert_like_scikit_learn(
    metrics: dict[str, Any], labels: np.ndarray, answers: np.ndarray, chances: np.ndarray
) -> None:
    every = range(chances.shape[1])
    expected = {
        'accuracy': sklearn.metrics.accuracy_score(labels, answers),
        'balanced_accuracy': sklearn.metrics.balanced_accuracy_score(labels, answers),
        'macro_f1': sklearn.metrics.f1_score(labels, answers, average='macro'),
        'log_loss': sklearn.metrics.log_loss(labels, chances, labels=every),
    }
    if len(every) > 2:
        expected['auc_ovr'] = sklearn.metrics.roc_auc_score(labels, chances, multi_class='ovr')
        expected['top_3_accuracy'] = sklearn.metrics.top_k_accuracy_score(labels, chances, k=3)
    else:
        expected['auc_ovr'] = sklearn.metrics.roc_auc_score(labels, chances[:, 1])
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    for name in ('precision', 'recall', 'f1'):
        score = getattr(sklearn.metrics, f'{name}_score')
        values = score(labels, answers, labels=every, average=None, zero_division=np.nan)
        np.testing.assert_allclose(metrics[f'{name}_by_class'], values)


def test_two_classes_with_a_threshold_against_a_baseline_and_a_veto_by_size(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    classes = ('no', 'yes')
    some = rows(classes, 20, 1)
    parts = {'val': some[:16], 'test': some[16:]}
    splits = {
        split: [
            evaluating.example(row, split, group=f'{split}{n // 2}') for n, row in enumerate(part)
        ]
        for split, part in parts.items()
    }
    rule = Rule(temperature=1.3, threshold=0.2, positive=1)
    model = evaluating.exported(tmp_path / 'model', transformed, classes, rule)
    # Without a rule, and with its classes in the other order.
    baseline = evaluating.exported(tmp_path / 'baseline', transformed, classes[::-1], seed=1)
    # And of a set whose 16-bit samples used 12 bits.
    described = baseline / 'Format-Serving' / card.FILE
    text = json.loads(described.read_text('utf-8'))
    described.write_text(json.dumps({**text, 'depth': {'bits': 12}}), 'utf-8')
    gate = Gate(
        val_accuracy=0.0, max_drop=1.0, paired_test=1e-9, test_contradiction='caution',
        max_latency_ms=60_000, max_size_mb=0.001,
    )  # fmt: skip
    # Of the test images the baseline was trained on the first, and chosen on another image of the
    # group of the last; it was evaluated on the third.
    seen = {
        'train': [evaluating.example(parts['test'][0], 'train')],
        'val': [evaluating.example(making.rows(1, 9)[0], 'val', group='test11')],
        'test': [evaluating.example(parts['test'][2], 'test')],
    }
    evaluated = evaluating.evaluate(tmp_path, splits, model, baseline, gate, baseline_seen=seen)
    slices, right = loaded(evaluated), {}
    for name, folder in (('candidate', model), ('baseline', baseline)):
        for split, part in parts.items():
            labels = np.array([classes.index(row.label) for row in part])
            served = evaluating.serve(folder, splits[split])
            answers = np.array([classes.index(text.decode()) for text in served['label']])
            right[name, split] = answers == labels
            if name == 'candidate':
                numbers = slices[frozenset({('split', split)})]
                _assert_like_scikit_learn(numbers, labels, answers, served['probabilities'])
    # Two images a group: the first two and the last two are not compared.
    mine, others = right['candidate', 'test'][2:-2], right['baseline', 'test'][2:-2]
    assert (mine != others).any() and len(mine) == 20
    drop = rule_of(evaluated, 'max_drop')
    assert drop.value == pytest.approx(((others & ~mine).sum() - (mine & ~others).sum()) / 20)
    table = evaluated.predictions
    assert table.baseline_answers is not None
    asked = table.ids[table.baseline_answers != predictions.NOT_ASKED]
    assert sorted(asked) == sorted(row.image_id for row in parts['test'][2:-2])
    hits = dict(zip(table.ids, table.baseline_answers == table.labels, strict=True))
    assert [hits[row.image_id] for row in parts['test'][2:-2]] == others.tolist()

    (caution,) = verdict_of(evaluated).cautions
    assert '12 bits' in caution and '16 bits' in caution and 'data.depth' in caution
    assert tfma.load_validation_result(evaluated.evaluation.uri).validation_ok
    assert [rule.name for rule in verdict_of(evaluated).rules if rule.holds is False] == [
        'max_size_mb'
    ]
    latency = rule_of(evaluated, 'max_latency_ms').value
    assert latency is not None and 0 < latency < 60_000
    assert (pathlib.Path(evaluated.blessing.uri) / 'NOT_BLESSED').is_file()
    assert evaluated.blessing.get_int_custom_property('blessed') == 0
    assert evaluated.blessing.get_int_custom_property('baseline_model_id') == evaluating.BASELINE_ID


def test_other_classes_unlabelled_and_unknown_images_and_one_answer_for_all(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    classes = ('no', 'yes')
    known = [row for row in rows(classes, 6, 1) if row.label == 'no']
    image = known[0].image
    val = [*known, Row(image, '', 'unlabelled'), Row(image, 'never seen', 'stranger')]
    splits = {
        'val': [evaluating.example(row, 'val') for row in val],
        'test': [evaluating.example(row, 'test') for row in known[:3]],
    }
    model = evaluating.exported(
        tmp_path / 'model', transformed, classes, Rule(threshold=0.0, positive=0)
    )
    baseline = evaluating.exported(tmp_path / 'baseline', transformed, ('maybe', 'no', 'yes'))
    gate = Gate(val_accuracy=0.5, strictness='point', worst_class_recall=0.1)
    evaluated = evaluating.evaluate(tmp_path, splits, model, baseline, gate)
    interval = evaluating.interval(evaluated.evaluation.uri, 'val')
    assert interval is not None
    assert (interval.share, interval.n) == (6 / 7, 7)
    table = evaluated.predictions
    assert table.baseline_answers is None  # all of test is in val too
    assert (~table.labelled).sum() == 1
    assert (table.labels == -1).sum() == 2
    assert set(table.answers) == {0}
    assert rule_of(evaluated, 'paired_test').holds is None
    assert "removed 'maybe'" in rule_of(evaluated, 'paired_test').sentence
    assert rule_of(evaluated, 'worst_class_recall').holds is False
    assert "'yes'" in rule_of(evaluated, 'worst_class_recall').sentence
    assert not verdict_of(evaluated).blessed
    # Of the gate's rules TFMA knows that on val accuracy.
    assert tfma.load_validation_result(evaluated.evaluation.uri).validation_ok


def test_images_of_the_shared_classes_are_compared(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    classes, earlier = ('new', 'no', 'yes'), ('no', 'old', 'yes')
    test = rows(classes, 12, 1)
    splits = {
        'val': [evaluating.example(row, 'val') for row in rows(classes, 4, 2)],
        'test': [evaluating.example(row, 'test') for row in test],
    }
    model = evaluating.exported(tmp_path / 'model', transformed, classes)
    baseline = evaluating.exported(tmp_path / 'baseline', transformed, earlier, seed=3)
    gate = Gate(val_accuracy=0.0, strictness='point')
    evaluated = evaluating.evaluate(tmp_path, splits, model, baseline, gate)
    table = evaluated.predictions
    assert table.baseline_answers is not None
    asked = table.baseline_answers != predictions.NOT_ASKED
    shared = {row.image_id: row for row in test if row.label != 'new'}
    assert sorted(table.ids[asked]) == sorted(shared) and len(shared) == 24

    right = []
    for folder in (model, baseline):
        served = evaluating.serve(folder, [evaluating.example(row, 'test') for row in test])
        answers = [name.decode() for name in served['label']]
        right.append(
            np.array([a == row.label for a, row in zip(answers, test, strict=True)])[
                [row.label != 'new' for row in test]
            ]
        )
    won, lost = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    decision = verdict_of(evaluated)
    assert decision.paired == paired.compare(won, lost, 24)
    sentence = rule_of(evaluated, 'paired_test').sentence
    assert '24 images of the shared classes' in sentence
    assert "added 'new'; removed 'old'" in sentence
    assert evaluated.blessing.get_int_custom_property('baseline_model_id') == evaluating.BASELINE_ID


def test_probabilities_that_are_no_numbers_are_refused_in_words(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    classes = ('no', 'yes')
    some = rows(classes, 3, 1)
    splits = {split: [evaluating.example(row, split) for row in some] for split in ('val', 'test')}
    model = evaluating.exported(tmp_path / 'model', transformed, classes, kernel=np.nan)
    gate = Gate(val_accuracy=0.0, strictness='point')
    evaluated = evaluating.evaluate(tmp_path, splits, model, gate=gate)
    assert not verdict_of(evaluated).blessed
    assert rule_of(evaluated, 'finite_probabilities').holds is False
    assert 'NaN or infinite' in rule_of(evaluated, 'finite_probabilities').sentence
    assert '0 of 6 images' in rule_of(evaluated, 'val_accuracy').sentence
    assert {numbers['accuracy'] for numbers in loaded(evaluated).values()} == {0.0}


@pytest.mark.parametrize('broken', [None, 1])
def test_a_fold_whose_answers_are_no_numbers_is_refused(
    transformed: Transformed, tmp_path: pathlib.Path, broken: int | None
) -> None:
    """What ships answers every image, and all other folds are right."""
    classes = ('no', 'yes')
    some = rows(classes, 6, 1)
    fold = np.arange(len(some)) // 2 % 3
    in_split = ('val', 'train', 'train')
    splits = {
        split: [
            evaluating.example(row, split)
            for row, number in zip(some, fold, strict=True)
            if in_split[number] == split
        ]
        for split in ('train', 'val')
    }
    labels = np.array([classes.index(row.label) for row in some])
    probabilities = np.where(np.arange(2) == labels[:, None], 0.9, 0.1)
    probabilities[fold == broken] = np.nan
    ids = np.array([row.image_id.encode() for row in some], object)
    held_out = HeldOutAnswers(ids, fold, labels, probabilities, by_folds=True)
    model = evaluating.exported(tmp_path / 'model', transformed, classes)
    gate = Gate(val_accuracy=0.5, strictness='point')
    evaluated = evaluating.evaluate(tmp_path, splits, model, gate=gate, held_out=held_out)
    decision = verdict_of(evaluated)
    assert decision.blessed is (broken is None)
    right = 12 if broken is None else 8
    assert f'{right} of 12 images' in rule_of(evaluated, 'val_accuracy').sentence
    assert 'val images' not in repr(decision)  # all judge, those of train too
    if broken is not None:
        rule = rule_of(evaluated, 'finite_probabilities')
        assert rule.holds is False and rule.value == 4.0
        assert rule_of(evaluated, 'val_accuracy').holds  # the other folds alone would pass


@pytest.mark.parametrize('recorded', [False, True])
def test_the_comparison_starts_anew_where_too_few_images_are_known_to_be_unseen(
    recorded: bool, transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    classes = ('no', 'yes')
    some = rows(classes, 12, 1)
    splits = {
        'val': [evaluating.example(row, 'val') for row in some[:4]],
        'test': [evaluating.example(row, 'test') for row in some[4:]],
    }
    seen = {'train': [evaluating.example(row, 'train') for row in some[:17]]}
    model = evaluating.exported(tmp_path / 'model', transformed, classes)
    # The same model with its answers exchanged: where one is right the other is wrong.
    worse = evaluating.exported(tmp_path / 'worse', transformed, classes, kernel=-4.0)
    gate = Gate(val_accuracy=0.0, max_drop=0.0, paired_test=0.5, test_contradiction=None)
    evaluated = evaluating.evaluate(
        tmp_path, splits, worse, model, gate, baseline_seen=seen if recorded else None
    )
    assert verdict_of(evaluated).blessed
    for name in ('paired_test', 'max_drop'):
        rule = rule_of(evaluated, name)
        assert rule.holds is None and rule.value is None
        assert ('7 images' if recorded else 'no record') in rule.sentence
    baseline_answers = evaluated.predictions.baseline_answers
    asked = 0 if baseline_answers is None else (baseline_answers != predictions.NOT_ASKED).sum()
    assert asked == (7 if recorded else 0)
    compared_with = evaluated.blessing.get_int_custom_property('baseline_model_id')
    assert (compared_with == evaluating.BASELINE_ID) is recorded


def test_a_baseline_whose_files_have_changed_is_not_asked(
    transformed: Transformed, tmp_path: pathlib.Path
) -> None:
    classes = ('no', 'yes')
    some = [evaluating.example(row, 'test') for row in rows(classes, 12, 1)]
    model = evaluating.exported(tmp_path / 'model', transformed, classes)
    baseline = tmp_path / 'baseline'
    shutil.copytree(model, baseline)
    judged = evaluating.new_artifact(standard_artifacts.ModelEvaluation, tmp_path / 'judged', 5)
    (tmp_path / 'judged').mkdir()
    judged_files.record(baseline / 'Format-Serving', judged)
    saved = baseline / 'Format-Serving' / 'saved_model.pb'
    saved.write_bytes(b'no model')
    gate = Gate(val_accuracy=0.0, test_contradiction=None)
    evaluated = evaluating.evaluate(
        tmp_path, {'val': some, 'test': some}, model, baseline, gate,
        baseline_evaluation=tmp_path / 'judged',
    )  # fmt: skip
    rule = rule_of(evaluated, 'paired_test')
    assert rule.holds is None and 'saved_model.pb' in rule.caution
    assert not evaluated.blessing.has_custom_property('baseline_model_id')


def test_missing_baseline_is_named(transformed: Transformed, tmp_path: pathlib.Path) -> None:
    some = [evaluating.example(row, 'val') for row in rows(('no', 'yes'), 1, 1)]
    model = evaluating.exported(tmp_path / 'model', transformed, ('no', 'yes'))
    with pytest.raises(DataError, match=f'baseline is missing from {tmp_path}/old'):
        evaluating.evaluate(tmp_path, {'val': some, 'test': some}, model, tmp_path / 'old')


def test_disagreement_with_tfma_is_an_error() -> None:
    result = verdict.judge(Counts(HitCount(9, 9), HitCount(9, 9), {}), Gate(val_accuracy=0.5))
    executor._check_agreement(result, ValidationResult(validation_ok=True))
    with pytest.raises(RuntimeError, match='disagree'):
        executor._check_agreement(result, ValidationResult(validation_ok=False))
