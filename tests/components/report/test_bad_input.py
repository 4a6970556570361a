"""The page of an evaluation that is odd: real models, the real Evaluator and Report."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

from tests.components.evaluation import evaluating
from tests.components.report import report_node
from tests.components.report.report_node import Told
from tests.components.transformed import Transformed
from thawline.components.evaluation.gate.params import Gate
from thawline.components.saved_model.decision_rule import Rule

CLASSES = ('no', 'yes')
SERIALS = 1000


@pytest.fixture(scope='module')
def odd(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A report on much that is unusual at once; the model itself is sound."""
    home = tmp_path_factory.mktemp('odd')
    classes = (*CLASSES, 'rare')
    splits = {
        'train': report_node.rows(classes, 4, 0),
        'val': [
            dataclasses.replace(row, image_id=f's{i}')
            for i, row in enumerate(report_node.rows(CLASSES, 20, 1) * (SERIALS // 40))
        ],
        'test': report_node.rows(classes, 6, 2),
    }
    model = evaluating.exported(home / 'model', transformed, classes)
    baseline = evaluating.exported(home / 'baseline', transformed, ('maybe', 'no', 'yes'))

    def delete() -> None:
        for path in (home / 'examples' / 'Split-test').iterdir():
            path.unlink()

    return report_node.report(
        home, model, splits, classes, lambda row: {'serial': row.image_id}, delete,
        baseline=baseline, gate=Gate(worst_class_recall=0.1),
    )  # fmt: skip


def test_a_column_with_a_thousand_values_is_named_and_not_shown(odd: Told) -> None:
    columns = {one['column'] for part in odd.content['parts'].values() for one in part['slices']}
    assert 'size_bucket' in columns and 'meta_serial' not in columns
    assert 'too many values to slice on: meta_serial' in odd.facts['Remarks']['detail']
    assert odd.content['parts']['val']['accuracy']['n'] == SERIALS
    assert len(odd.page) < 15e6


def test_a_class_without_a_validation_image(odd: Told) -> None:
    val, test = (odd.content['parts'][split]['classes'][2] for split in ('val', 'test'))
    assert val['name'] == 'rare' and (val['images'], test['images']) == (0, 6)
    assert val['recall'] == {'share': None, 'lower': 0.0, 'upper': 1.0, 'n': 0}
    assert (val['f1'], val['auc']) == (None, None) and test['auc'] is not None
    assert 'val images of &#39;rare&#39;' in odd.page


def test_a_baseline_with_other_classes(odd: Told) -> None:
    rule = odd.rules['paired_test']
    assert rule['holds'] is None and rule['value'] is None
    assert "added 'rare'" in rule['sentence'] and "removed 'maybe'" in rule['sentence']
    assert odd.content['parts']['val']['unseen'] is None
    shown = odd.content['parts']['test']['unseen']
    assert shown['model']['n'] == shown['baseline']['n'] == 18 - 6  # of the shared classes
    assert 'does not apply' in odd.page


def test_images_deleted_since_the_run_leave_a_gap_and_keep_their_numbers(odd: Told) -> None:
    assert odd.content['parts']['test']['accuracy']['n'] == 18
    pictures = [one for one in odd.content['pictures'].values() if one['split'] != 'train']
    gone = [one for one in pictures if not one['thumbnail']]
    assert gone and {one['split'] for one in gone} == {'test'}
    assert all(one['label'] and one['answer'] and one['path'] for one in gone)
    assert f'{len(gone)} pictures are not shown' in odd.facts['Remarks']['detail']
    assert '<span class="gone">deleted</span>' in odd.page


def test_all_answers_are_one_class(transformed: Transformed, tmp_path: pathlib.Path) -> None:
    splits = {
        name: report_node.rows(CLASSES, 6, seed)
        for seed, name in enumerate(('train', 'val', 'test'))
    }
    always = Rule(threshold=0.0, positive=0)
    model = evaluating.exported(tmp_path / 'model', transformed, CLASSES, always)
    told = report_node.report(tmp_path, model, splits, CLASSES)
    part = told.content['parts']['val']
    assert {cell['answer'] for cell in part['confusion']} == {0}
    answered, never = part['classes']
    assert (answered['recall']['share'], answered['precision']) == (1.0, 0.5)
    assert (never['recall']['share'], never['precision'], never['f1']) == (0.0, None, 0.0)
    assert part['metrics']['balanced_accuracy'] == part['accuracy']['share'] == 0.5
    assert 'Only images of &#39;no&#39; are classified correctly.' in told.page
