"""The threshold against brute force over all thresholds; what is refused and what is recorded."""

from __future__ import annotations

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pydantic
import pytest
import sklearn.metrics

from thawline.components.shared.errors import ConfigError, DataError
from thawline.components.training import decision_threshold, params

CLASSES = ('defective', 'functional')
Case = tuple[np.ndarray, np.ndarray]


@st.composite
def scored(draw: st.DrawFn, positives: bool = False) -> Case:
    """Probabilities with ties, 0 and 1 among them, and whether each image is positive."""
    n = draw(st.integers(1, 30))
    scores = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 64))) / 64
    truth = draw(hnp.arrays(np.bool_, n))
    if positives:
        truth[draw(st.integers(0, n - 1))] = True
    return scores, truth


def reached(case: Case, threshold: float) -> tuple[float, float, float, float]:
    """Accuracy, F1, recall, precision by their definitions."""
    scores, truth = case
    answered = scores >= threshold
    hits = int((answered & truth).sum())
    positives, alarms = int(truth.sum()), int(answered.sum())
    return (
        float((answered == truth).mean()),
        2 * hits / max(1, positives + alarms),
        hits / max(1, positives),
        hits / max(1, alarms),
    )


EVERY = np.arange(0, 129) / 128  # on the scores, and between any two of them


@hypothesis.given(scored())
def test_no_threshold_is_more_accurate(case: Case) -> None:
    threshold = decision_threshold.choose_threshold(*case, 'accuracy')
    assert reached(case, threshold)[0] >= max(reached(case, t)[0] for t in EVERY) - 1e-12


@hypothesis.given(scored(positives=True))
def test_no_threshold_has_a_better_f1(case: Case) -> None:
    threshold = decision_threshold.choose_threshold(*case, 'f1')
    assert reached(case, threshold)[1] >= max(reached(case, t)[1] for t in EVERY) - 1e-12


@hypothesis.given(scored(positives=True), st.sampled_from([0.01, 0.3, 0.5, 0.9, 0.95, 1.0]))
def test_recall_is_reached_and_none_that_reaches_it_is_more_precise(
    case: Case, at_least: float
) -> None:
    _, _, recall, precision = reached(
        case, decision_threshold.choose_threshold(*case, 'recall', at_least)
    )
    assert recall >= at_least - 1e-9
    others = [reached(case, t)[2:] for t in EVERY]
    feasible = [(p, r) for r, p in others if r >= at_least - 1e-9]
    assert (precision, recall) == pytest.approx(max(feasible))


@hypothesis.given(scored(positives=True), st.sampled_from(['accuracy', 'f1', 'recall']))
def test_order_and_repetition_do_not_matter(case: Case, aim: str) -> None:
    scores, truth = case
    at_least = 0.8 if aim == 'recall' else None
    threshold = decision_threshold.choose_threshold(scores, truth, aim, at_least)
    rows = np.random.default_rng(0).permutation(len(scores))
    assert (
        decision_threshold.choose_threshold(scores[rows], truth[rows], aim, at_least) == threshold
    )
    twice = np.tile(scores, 2), np.tile(truth, 2)
    assert decision_threshold.choose_threshold(*twice, aim, at_least) == threshold


@hypothesis.given(hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(0, 1, width=32)))
def test_candidates_stand_off_from_every_score(scores: np.ndarray) -> None:
    thresholds = decision_threshold.candidates(scores.astype(np.float64))
    assert (np.diff(thresholds) > 0).all() and thresholds.min() >= 0 and thresholds.max() <= 1
    np.testing.assert_array_equal(
        thresholds, thresholds.astype(np.float32)
    )  # as the graph compares
    distance = np.abs(thresholds[thresholds > 0][:, None] - scores[None, :].astype(np.float64))
    assert distance.size == 0 or distance.min() > 0.4 * decision_threshold.RESOLUTION
    assert (scores >= thresholds[0]).all()  # so that every recall can be reached
    # Each gap that is wide enough has one candidate.
    gaps = np.diff(np.unique(np.concatenate([[0.0], scores.astype(np.float64), [1.0]])))
    assert len(thresholds[thresholds > 0]) == (gaps > decision_threshold.RESOLUTION).sum()


def test_midway_between_neighbours_and_nearest_to_a_half() -> None:
    scores, truth = np.array([0.1, 0.2, 0.4, 0.9]), np.array([False, False, True, True])
    for aim, at_least in (('accuracy', None), ('f1', None), ('recall', 1.0)):
        threshold = decision_threshold.choose_threshold(scores, truth, aim, at_least)
        assert threshold == pytest.approx(0.3)
    # 3 of 4 right with 0.15 as with 0.75.
    truth = np.array([False, True, False, True])
    scores = np.array([0.1, 0.2, 0.65, 0.85])
    assert decision_threshold.choose_threshold(scores, truth, 'accuracy') == pytest.approx(0.75)


def test_one_class_alone() -> None:
    scores = np.array([0.2, 0.6])
    none, every = np.zeros(2, bool), np.ones(2, bool)
    assert decision_threshold.choose_threshold(scores, none, 'accuracy') == pytest.approx(0.8)
    assert decision_threshold.choose_threshold(scores, every, 'accuracy') == pytest.approx(0.1)
    assert decision_threshold.choose_threshold(scores, every, 'recall', 0.5) == pytest.approx(0.1)
    for aim, at_least in (('f1', None), ('recall', 0.5)):
        with pytest.raises(ValueError, match='no positive image'):
            decision_threshold.choose_threshold(scores, none, aim, at_least)


def test_all_equal_scores_and_none() -> None:
    tied = np.full(3, 0.5), np.array([True, False, False])
    assert decision_threshold.choose_threshold(*tied, 'recall', 0.9) == pytest.approx(0.25)
    assert decision_threshold.choose_threshold(*tied, 'accuracy') == pytest.approx(0.75)
    ends = np.array([0.0, 1.0]), np.array([True, False])
    assert decision_threshold.choose_threshold(*ends, 'recall', 1.0) == 0.0
    with pytest.raises(ValueError, match='no image'):
        decision_threshold.choose_threshold(np.empty(0), np.empty(0, bool), 'accuracy')


def test_recall_is_counted_in_images_not_in_binary_fractions() -> None:
    """0.95 of 20 is 19; in floating point 0.95 * 20 may come out above."""
    for n in (20, 40, 60, 100, 140):
        scores = np.arange(1, n + 1) / (n + 1)
        threshold = decision_threshold.choose_threshold(scores, np.ones(n, bool), 'recall', 0.95)
        assert (scores >= threshold).all()  # more recall at the same precision
        alarms = np.concatenate([scores, [scores[n // 20 - 1] + 1e-3]])
        truth = np.concatenate([np.ones(n, bool), [False]])
        threshold = decision_threshold.choose_threshold(alarms, truth, 'recall', 0.95)
        assert (scores >= threshold).sum() == n * 19 // 20


def test_misuse_of_the_aim() -> None:
    scores, truth = np.array([0.2, 0.6]), np.array([False, True])
    for aim, at_least in (('recall', None), ('f1', 0.5), ('argmax', None)):
        with pytest.raises(ValueError):
            decision_threshold.choose_threshold(scores, truth, aim, at_least)


def logits_of(n: int = 400, seed: int = 0) -> Case:
    """Two overlapping classes; the first, a quarter of all, is rarely answered by argmax."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) > 0.25).astype(np.int64)
    margin = rng.normal(np.where(labels == 1, 2.5, -0.5), 2.0)
    return np.stack([-margin, margin], axis=1).astype(np.float32), labels


def test_default_is_argmax_with_a_temperature() -> None:
    logits, labels = logits_of()
    rule, record = decision_threshold.decide(logits, labels, CLASSES, params.Decision())
    assert rule.is_argmax and (rule.threshold, rule.positive) == (0.5, 0)
    np.testing.assert_array_equal(rule.answers(logits), logits.argmax(axis=1))
    assert record.temperature == rule.temperature != 1.0
    assert record.positive is None and record.val is None
    three = np.concatenate([logits, logits[:, :1]], axis=1)
    assert decision_threshold.decide(three, labels, ('a', 'b', 'c'), params.Decision())[0].is_argmax


@pytest.mark.parametrize('positive', CLASSES)
def test_recorded_is_what_the_rule_answers(positive: str) -> None:
    logits, labels = logits_of()
    index = CLASSES.index(positive)
    for settings in (
        params.Decision(aim='recall', positive=positive, at_least=0.97),
        params.Decision(aim='f1', positive=positive),
        params.Decision(aim='accuracy', positive=positive),
    ):
        rule, record = decision_threshold.decide(logits, labels, CLASSES, settings)
        answers = rule.answers(logits)
        of_positive = {'y_true': labels, 'y_pred': answers, 'pos_label': index}
        expected = {
            'accuracy': sklearn.metrics.accuracy_score(labels, answers),
            'recall': sklearn.metrics.recall_score(**of_positive),
            'precision': sklearn.metrics.precision_score(**of_positive),
            'f1': sklearn.metrics.f1_score(**of_positive),
        }
        assert vars(record.val) == pytest.approx(expected)
        before = sklearn.metrics.accuracy_score(labels, logits.argmax(axis=1))
        assert record.val_argmax.accuracy == pytest.approx(before)
        assert (rule.positive, record.positive) == (index, positive)
        assert record.threshold == rule.threshold
        if settings.aim == 'recall':
            assert record.val.recall >= 0.97
            line = f"recall of '{positive}' {100 * record.val.recall:.1f} % with precision"
            chosen = f'threshold {rule.threshold:.2f}, chosen with {line}'
            assert record.summary.startswith(chosen) and ' val' not in record.summary


def test_accuracy_needs_no_positive_class() -> None:
    logits, labels = logits_of()
    rule, record = decision_threshold.decide(
        logits, labels, CLASSES, params.Decision(aim='accuracy')
    )
    assert record.positive == 'defective' and rule.positive == 0
    assert record.val.accuracy >= record.val_argmax.accuracy


RECALL = params.Decision(aim='recall', positive='defective', at_least=0.9)


def test_more_or_fewer_than_two_classes_are_refused() -> None:
    for classes in (('a', 'defective', 'c'), ('defective',), tuple(map(str, range(30)))):
        with pytest.raises(
            ConfigError, match=f"'recall' is for two classes; received {len(classes)}"
        ):
            decision_threshold.check(RECALL, classes, np.arange(len(classes)))
        decision_threshold.check(params.Decision(), classes, np.arange(1))


def test_unknown_positive_class_is_refused_with_the_names() -> None:
    settings = params.Decision(aim='f1', positive='Defective')
    with pytest.raises(ConfigError, match="'Defective'.*use one of 'defective', 'functional'"):
        decision_threshold.check(settings, CLASSES, np.array([0, 1]))


@pytest.mark.parametrize('aim', [RECALL, params.Decision(aim='accuracy')])
def test_val_of_one_class_is_refused(aim: params.Decision) -> None:
    with pytest.raises(DataError, match="the val split has no images of 'defective'"):
        decision_threshold.check(aim, CLASSES, np.array([1, 1]))
    with pytest.raises(DataError, match="the val split has no images of 'functional'"):
        decision_threshold.decide(np.zeros((1, 2)), np.array([0]), CLASSES, aim)
    decision_threshold.check(aim, CLASSES, np.array([1, 0]))


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'aim': 'recall', 'at_least': 0.9}, 'needs positive'),
        ({'aim': 'f1'}, 'needs positive'),
        ({'aim': 'recall', 'positive': 'a'}, 'needs at_least'),
        ({'aim': 'f1', 'positive': 'a', 'at_least': 0.9}, 'at_least 0.9 is only for aim recall'),
        ({'at_least': 0.9}, 'at_least 0.9 is only for aim recall; received aim argmax'),
        ({'positive': 'a'}, "positive 'a' has no effect with aim argmax"),
        ({'aim': 'recall', 'positive': 'a', 'at_least': 0}, 'greater than 0'),
        ({'aim': 'recall', 'positive': 'a', 'at_least': 95}, 'less than or equal to 1'),
        ({'aim': 'precision'}, "'argmax', 'accuracy', 'f1' or 'recall'"),
    ],
)
def test_combinations_that_mean_nothing_are_refused(given: dict, message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        params.Decision(**given)
