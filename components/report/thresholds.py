"""What a model of two classes would answer with other thresholds: counts, and their curves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from thawline.components.evaluation.metrics import Answers
from thawline.components.report.content import ThresholdCounts, TwoClasses
from thawline.components.saved_model.decision_rule import Rule

_MOST_POINTS = 200  # of a curve
# In steps of 1 %, at both ends of 0.1 %: where classes are told apart well, scores crowd there.
_STEPS = (
    *(i / 1000 for i in range(10)),
    *(i / 100 for i in range(1, 100)),
    *(i / 1000 for i in range(991, 1001)),
)


def two_classes(
    splits: Mapping[str, Answers],
    classes: tuple[str, ...],
    rule: Rule,
    positive_is_set: bool,
    chosen_on_val: bool,
) -> TwoClasses | None:
    """Counts at many thresholds, that of the served model among them; None for other models.

    Args:
        splits: answers by split.
        classes: of the model.
        rule: of the served model.
        positive_is_set: whether the configuration names the positive class; without it the rarer
            one is taken, as what is looked for is rare more often than not.
        chosen_on_val: whether the threshold was chosen on val images.
    """
    if len(classes) != 2:
        return None
    positive = rule.positive
    if rule.is_argmax and not positive_is_set:
        labels = np.concatenate([of.known.labels for of in splits.values()])
        positive = int((labels == 1).sum() < (labels == 0).sum())
    thresholds = sorted({*_STEPS, rule.threshold})
    served = thresholds.index(rule.threshold)
    return TwoClasses(
        classes[positive],
        classes[1 - positive],
        tuple(thresholds),
        served,
        chosen_on_val,
        {name: _counts(of, positive, thresholds, served) for name, of in splits.items()},
    )


def _counts(
    answers: Answers, positive: int, thresholds: list[float], served: int
) -> ThresholdCounts:
    known = answers.known
    known = known.take(known.has_answer)
    truth = known.labels == positive
    scores = known.probabilities[:, positive].astype(np.float64)
    taken = scores[:, None] >= np.array(thresholds)
    # What was answered, bit for bit: the graph compared before the scores were rounded.
    taken[:, served] = known.answers == positive
    both = truth.any() and not truth.all()
    return ThresholdCounts(
        positives=int(truth.sum()),
        negatives=int((~truth).sum()),
        true_positives=tuple(taken[truth].sum(axis=0).tolist()),
        false_positives=tuple(taken[~truth].sum(axis=0).tolist()),
        roc=_points(*roc_curve(truth, scores)[:2]) if both else (),
        precision_recall=_points(*precision_recall_curve(truth, scores)[1::-1]) if both else (),
        auc=float(roc_auc_score(truth, scores)) if both else None,
        average_precision=float(average_precision_score(truth, scores)) if both else None,
    )


def _points(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, float], ...]:
    """The points of a curve, thinned out evenly; the ends stay."""
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).round().astype(int))
    return tuple((round(float(x[i]), 4), round(float(y[i]), 4)) for i in rows)
