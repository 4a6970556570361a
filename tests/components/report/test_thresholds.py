from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from thawline.components.evaluation.metrics import Answers
from thawline.components.report import threshold_section, thresholds
from thawline.components.report.content import TwoClasses
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.statistics.proportions import wilson

CLASSES = ('ants', 'bees')


def answers(rule: Rule, n: int = 300, seed: int = 0, bees: float = 0.3) -> Answers:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < bees).astype(np.int64)
    bee = rng.beta(1 + 3 * labels, 4 - 3 * labels).astype(np.float32)
    probabilities = np.stack([1 - bee, bee], axis=1)
    chosen = rule.chosen(probabilities)
    return Answers(labels, chosen, probabilities[np.arange(n), chosen], probabilities)


def counted(of: Answers, rule: Rule, is_set: bool = True, chosen: bool = False) -> TwoClasses:
    two = thresholds.two_classes({'val': of}, CLASSES, rule, is_set, chosen)
    assert two is not None
    return two


def test_counts_are_those_of_the_predictions_at_every_threshold() -> None:
    rule = Rule(1.0, 0.3137, 1)
    of = answers(rule)
    two = counted(of, rule)
    assert (two.positive, two.negative) == ('bees', 'ants')
    assert two.thresholds[two.served] == 0.3137 and list(two.thresholds) == sorted(two.thresholds)
    counts = two.splits['val']
    bee, truth = of.probabilities[:, 1], of.labels == 1
    for i, threshold in enumerate(two.thresholds):
        taken = bee >= np.float64(threshold)
        matrix = metrics.confusion_matrix(truth, taken, labels=[False, True])
        assert counts.true_positives[i] == matrix[1, 1]
        assert counts.false_positives[i] == matrix[0, 1]
    assert (counts.positives, counts.negatives) == (truth.sum(), (~truth).sum())
    assert counts.auc == pytest.approx(metrics.roc_auc_score(truth, bee))
    assert counts.average_precision == pytest.approx(metrics.average_precision_score(truth, bee))


def test_cells_are_counts_and_wilsons_intervals() -> None:
    rule = Rule(1.0, 0.4, 1)
    counts = counted(answers(rule), rule).splits['val']
    hits, alarms = counts.true_positives[50], counts.false_positives[50]
    cells = threshold_section.cells(counts, 50)
    assert cells[:4] == tuple(
        str(n) for n in (hits, alarms, counts.positives - hits, counts.negatives - alarms)
    )
    recall, precision = wilson(hits, counts.positives), wilson(hits, hits + alarms)
    for cell, of in zip(cells[4:], (recall, precision), strict=True):
        share, ends = cell.split('\n')
        assert share == f'{100 * of.share:.1f}\u00a0%'
        assert ends == f'{100 * of.lower:.1f} to {100 * of.upper:.1f}\u00a0%'


def test_the_served_counts_are_the_answers_and_not_rounded_scores() -> None:
    rule = Rule(1.0, 0.4, 1)
    of = answers(rule)
    of.answers[:3] = 1 - of.answers[:3]  # as where a score at the threshold was rounded
    counts, two = counted(of, rule).splits['val'], counted(of, rule)
    truth, taken = of.labels == 1, of.answers == 1
    assert counts.true_positives[two.served] == (truth & taken).sum()
    assert counts.false_positives[two.served] == (~truth & taken).sum()


@pytest.mark.parametrize(('bees', 'positive'), [(0.2, 'bees'), (0.8, 'ants')])
def test_without_a_positive_class_the_rarer_one_is_looked_for(bees: float, positive: str) -> None:
    two = counted(answers(Rule(), bees=bees), Rule(), is_set=False)
    assert two.positive == positive and two.thresholds[two.served] == 0.5


def test_images_without_an_answer_are_left_out() -> None:
    rule = Rule(1.0, 0.4, 1)
    of = answers(rule)
    of.answers[:10] = -2
    of.probabilities[:10] = np.nan
    counts = counted(of, rule).splits['val']
    assert counts.positives + counts.negatives == 290


def test_one_class_alone_has_counts_and_no_curve() -> None:
    rule = Rule(1.0, 0.4, 1)
    two = counted(answers(rule, bees=0.0), rule)
    counts = two.splits['val']
    assert (counts.auc, counts.roc, counts.precision_recall) == (None, (), ())
    assert threshold_section.curves(two) == []
    assert threshold_section.payload(two)['splits']['val']['roc'][0] is None


def test_curves_are_named_where_there_are_several() -> None:
    rule = Rule(1.0, 0.4, 1)
    of = answers(rule)
    both = thresholds.two_classes({'val': of, 'test': of}, CLASSES, rule, True, False)
    assert both is not None
    plain, in_folds = (threshold_section.curves(both, folds)[0] for folds in (0, 5))
    assert 'val 0.' in plain.areas and '>val</text>' in plain.svg
    assert 'folds 0.' in in_folds.areas and '>folds</text>' in in_folds.svg
    assert 'val' not in in_folds.areas and 'test 0.' in in_folds.areas
    alone = threshold_section.curves(counted(of, rule))[0]
    assert 'val' not in alone.areas and '>val</text>' not in alone.svg


def test_three_classes_have_no_threshold() -> None:
    assert thresholds.two_classes({}, ('a', 'b', 'c'), Rule(), False, False) is None


def test_the_curves_stay_small() -> None:
    rule = Rule(1.0, 0.4, 1)
    counts = counted(answers(rule, n=20_000), rule).splits['val']
    for points in (counts.roc, counts.precision_recall):
        assert 100 < len(points) <= 200
    assert counts.roc[0] == (0.0, 0.0) and counts.roc[-1] == (1.0, 1.0)
