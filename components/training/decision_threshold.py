"""Which class is answered: the temperature, and for two classes a threshold chosen on `val`.

With two classes the positive one is answered where its probability reaches a threshold. Moving it
away from 0.5 serves aims other than accuracy; for accuracy 0.5 is right where probabilities are
calibrated, and a threshold fitted to few images mostly fits their noise. Hence argmax is the
default: a linear head on features of EfficientNet-Lite0 of the solar cells (31 % defective), 40
random splits, threshold chosen on n images of val, all figures from 390 images of test:

| n of val                               |  50  | 100  | 200  | 395  |
|----------------------------------------|------|------|------|------|
| accuracy, argmax                       | .862 | .862 | .862 | .862 |
| accuracy, `accuracy`                   | .850 | .854 | .856 | .860 |
| its gain, standard error .001 to .003  | -.012| -.008| -.005| -.002|
| its gain in two halves of val instead  | -.011| -.008| -.005| -.002|
| F1 of defective, argmax                | .749 | .749 | .749 | .749 |
| F1 of defective, `f1`                  | .745 | .749 | .753 | .755 |
| recall of defective, argmax            | .663 | .663 | .663 | .663 |
| recall of defective, `recall` >= 0.95  | .937 | .943 | .947 | .948 |

(Standard error of the gain in halves: .001 to .006.) `f1` starts to pay at 200 images of val. A
recall reached on val was reached on test in 53 to 57 % of the splits: if it is a hard limit, set it
higher than needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thawline.components.saved_model.decision_rule import ARGMAX, Rule
from thawline.components.shared import percentages
from thawline.components.shared.errors import DataError
from thawline.components.training import calibration, params
from thawline.components.training.record import DecisionRecord, ThresholdScores

# Probabilities closer than this count as equal: another device or batch size could swap them.
RESOLUTION = 1e-6


def check(settings: params.Decision, classes: Sequence[str], val_labels: np.ndarray) -> None:
    """Refuses, before anything is trained, an aim that does not fit the classes.

    Args:
        settings: of the decision.
        classes: names, in the order of the labels.
        val_labels: int [N]; images of `val`.

    Raises:
        ConfigError: an aim for two classes with another number of them, or no such class.
        DataError: `val` lacks one of the two classes.
    """
    if settings.aim == 'argmax':
        return
    settings.check_classes(classes)
    if absent := [name for label, name in enumerate(classes) if label not in val_labels]:
        raise DataError(
            f'the val split has no images of {absent[0]!r}, so training.decision.aim '
            f'{settings.aim!r} cannot choose a threshold; add images, raise data.split.val, or use '
            'argmax'
        )


def candidates(scores: np.ndarray) -> np.ndarray:
    """Every threshold that separates scores, rising: float [N] in [0, 1] -> float64 [<= N + 1].

    Each lies midway between two neighbouring scores, 0 and 1 being the outermost, and is exact in
    float32, in which the served graph compares. Scores within `RESOLUTION` are not separated.
    """
    distinct = np.unique(np.concatenate([[0.0], scores, [1.0]]))
    apart = np.diff(distinct) > RESOLUTION
    between = ((distinct[:-1] + distinct[1:]) / 2)[apart]
    # Where a score is all but 0, the lowest threshold would leave it out.
    lowest = [] if scores.min() > RESOLUTION else [0.0]
    return np.concatenate([lowest, between]).astype(np.float32).astype(np.float64)


def _counts(
    scores: np.ndarray, truth: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, ...]:
    """True and false positives, false and true negatives at K thresholds: int [K] each."""
    order = np.argsort(scores, kind='stable')
    below = np.searchsorted(scores[order], thresholds, side='left')
    positives = np.concatenate([[0], np.cumsum(truth[order])])
    hits = positives[-1] - positives[below]
    false_alarms = len(scores) - below - hits
    return hits, false_alarms, positives[below], below - positives[below]


def _scores_at(
    scores: np.ndarray, truth: np.ndarray, thresholds: np.ndarray
) -> list[ThresholdScores]:
    def share(part: int, whole: int) -> float:
        return float(part / whole) if whole else 0.0

    return [
        ThresholdScores(
            share(tp + tn, len(scores)),
            share(tp, tp + fn),
            share(tp, tp + fp),
            share(2 * tp, 2 * tp + fp + fn),
        )
        for tp, fp, fn, tn in zip(*_counts(scores, truth, thresholds), strict=True)
    ]


def choose_threshold(
    scores: np.ndarray, truth: np.ndarray, aim: str, at_least: float | None = None
) -> float:
    """The best threshold for an aim on these images; of equally good ones the nearest to 0.5.

    Args:
        scores: float [N]; probability of the positive class.
        truth: bool [N]; whether the image is of it.
        aim: 'accuracy', 'f1', or 'recall'.
        at_least: the recall to be reached; among the thresholds that reach it the one with the
            best precision is taken, of equal precision the one with the higher recall. The lowest
            threshold finds all positive images, so there always is one.

    Raises:
        ValueError: there is no image, or for f1 and recall no positive one; an unknown aim;
            `at_least` without recall or the other way round.
    """
    if aim not in ('accuracy', 'f1', 'recall'):
        raise ValueError(f'unknown aim {aim!r}')
    if (aim == 'recall') != (at_least is not None):
        raise ValueError(f'at_least is for recall. Received: {at_least} for {aim}')
    if not len(scores) or (aim != 'accuracy' and not truth.any()):
        raise ValueError(f'no {"image" if not len(scores) else "positive image"} to choose on')
    thresholds = candidates(scores)
    reached = _scores_at(scores, truth, thresholds)
    # A hair less: 0.95 of 20 images is 19, but 0.95 is not exact in binary.
    needed = (at_least or 0.0) - 1e-9

    def worth(at: ThresholdScores) -> tuple[float, ...]:
        if aim == 'recall':
            return float(at.recall >= needed), at.precision, at.recall
        return (at.accuracy if aim == 'accuracy' else at.f1,)

    best = max(range(len(thresholds)), key=lambda i: (worth(reached[i]), -abs(thresholds[i] - 0.5)))
    return float(thresholds[best])


def decide(
    logits: np.ndarray, labels: np.ndarray, classes: Sequence[str], settings: params.Decision
) -> tuple[Rule, DecisionRecord]:
    """The decision rule of a model, from the predictions of its weights on `val`.

    Args:
        logits: float [N, C].
        labels: int [N] in [0, C).
        classes: the C names.
        settings: of the decision.

    Returns:
        The rule and its record.

    Raises:
        ConfigError, DataError: as `check`.
        ValueError: there is no image, or a logit is not finite.
    """
    check(settings, classes, labels)
    fitted = calibration.calibrate(logits, labels)
    # The graph computes in float32, so the threshold is chosen with that value.
    temperature = float(np.float32(fitted.temperature))
    summary = f'temperature {temperature:.2f}'
    if settings.aim == 'argmax':
        record = DecisionRecord(settings.aim, temperature, ARGMAX, None, fitted, summary)
        return Rule(temperature), record
    positive = 0 if settings.positive is None else list(classes).index(settings.positive)
    chances = Rule(temperature).probabilities(logits)[:, positive]
    truth = labels == positive
    threshold = choose_threshold(chances, truth, settings.aim, settings.at_least)
    reached, before = _scores_at(chances, truth, np.array([threshold, ARGMAX]))
    name = classes[positive]
    achieved = {
        'accuracy': f'accuracy {percentages.percent(reached.accuracy)}',
        'f1': f'F1 of {name!r} {percentages.percent(reached.f1)}',
        'recall': (
            f'recall of {name!r} {percentages.percent(reached.recall)} with precision '
            f'{percentages.percent(reached.precision)}'
        ),
    }[settings.aim]
    at = f'threshold {threshold:.2f}' + (f' of {name!r}' if settings.aim == 'accuracy' else '')
    # In folds these are images of all of them, so no split is named.
    summary = f'{at}, chosen with {achieved}, {summary}'
    record = DecisionRecord(
        settings.aim, temperature, threshold, name, fitted, summary, reached, before
    )
    return Rule(temperature, threshold, positive), record
