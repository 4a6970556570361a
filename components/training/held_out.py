"""Fills in answers that are held out, by a rule that other images chose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.training import decision_threshold, params, scores
from thawline.components.training.record import Scores


def answer(answers: HeldOutAnswers, rows: np.ndarray, rule: Rule, logits: np.ndarray) -> None:
    """Answers some images by their logits, float [N, C]."""
    answers.probabilities[rows] = rule.probabilities(logits)
    answers.answers[rows] = rule.chosen(answers.probabilities[rows])


def score(answers: HeldOutAnswers, labels: np.ndarray, rows: np.ndarray | None = None) -> Scores:
    """Accuracy of the answers, and log loss of the probabilities.

    Args:
        answers: to images with labels.
        labels: of all of them, int [N].
        rows: of those that are scored; None: all.
    """
    rows = np.arange(len(labels)) if rows is None else rows
    logits = np.log(np.maximum(answers.probabilities[rows], np.finfo(float).tiny))
    hits = answers.answers[rows] == labels[rows]
    return Scores(float(hits.mean()), float(scores.losses(logits, labels[rows]).mean()), len(rows))


def decide(
    logits: np.ndarray, labels: np.ndarray, classes: Sequence[str], settings: params.Decision
) -> Rule:
    """The decision rule by the images of some folds; the arguments as `decision_threshold.decide`.

    Where these images lack one of two classes, only the temperature is fitted.
    """
    if not len(labels):
        return Rule()
    if settings.aim != 'argmax' and len(np.unique(labels)) < 2:
        settings = params.Decision()
    rule, _ = decision_threshold.decide(logits, labels, classes, settings)
    return rule


def choose_apart(
    ids: np.ndarray,
    labels: np.ndarray,
    parts: np.ndarray,
    choose: Callable[[np.ndarray, np.ndarray], np.ndarray],
    classes: Sequence[str],
    settings: params.Decision,
) -> HeldOutAnswers:
    """Answers val part by part, each by what the other parts choose.

    Where there is one part alone, it is judged by its own choices, as there are no others.

    Args:
        ids: of the images, as `HeldOutAnswers` has them.
        labels: int [N] in [0, C).
        parts: int [N]; images of one cluster are in one part.
        choose: takes rows that choose, and all labels; returns the logits of all images by the
            weights that these rows choose, float [N, C].
        classes: C names.
        settings: of the decision, which is chosen too.
    """
    answers = HeldOutAnswers.empty(ids, parts, len(classes))
    for part in np.unique(parts):
        judged = parts == part
        rows = np.flatnonzero(judged if judged.all() else ~judged)
        logits = choose(rows, labels)
        rule = decide(logits[rows], labels[rows], classes, settings)
        answer(answers, np.flatnonzero(judged), rule, logits[judged])
    return answers
