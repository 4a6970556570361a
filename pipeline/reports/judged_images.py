"""The images on which two runs are judged: the gate's, where one is the baseline of the other.

They are images that neither model had seen when it answered, of classes that both know. The gate
asks the baseline itself about new ones. Between any other two runs, they are those that both
evaluated.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from thawline.components.evaluation import counting, unseen_images
from thawline.components.evaluation.metrics import Answers
from thawline.components.evaluation.unseen_images import HeldOutImages
from thawline.pipeline.reports.compared_run import ComparedRun


@dataclasses.dataclass(frozen=True)
class JudgedImages:
    """Which images each run classifies correctly: bool [N], in the same order.

    `clusters` names the cluster of each, as the second run has it: str [N].
    """

    first: np.ndarray
    second: np.ndarray
    clusters: np.ndarray


def judged(first: ComparedRun, second: ComparedRun) -> JudgedImages | None:
    """None where nothing says which images one of the models has seen."""
    if second.baseline and second.baseline == first.model:
        return _of_the_gate(second)
    if first.baseline and first.baseline == second.model:
        images = _of_the_gate(first)
        return images and JudgedImages(images.second, images.first, images.clusters)
    if second.images is None or first.learned_from is None or second.learned_from is None:
        return None
    shared = [name for name in second.predictions.classes if name in first.predictions.classes]
    comparable = unseen_images.find(
        second.images,
        second.learned_from,
        first.learned_from,
        shared,
        *(HeldOutImages.of(run.predictions) for run in (second, first)),
    )
    common = comparable.unseen | comparable.answered.keys()
    (answers_a, _), (answers_b, labels) = (_named(run, common) for run in (first, second))
    both = sorted(answers_a.keys() & labels.keys())
    table = second.predictions
    cluster = dict(zip(table.ids.tolist(), table.clusters.tolist(), strict=True))
    first_hits, second_hits = (
        np.array([answers[name] == labels[name] for name in both], bool)
        for answers in (answers_a, answers_b)
    )
    clusters = np.array([cluster[name] for name in both], str)
    return JudgedImages(first_hits, second_hits, clusters)


def _of_the_gate(candidate: ComparedRun) -> JudgedImages | None:
    """What the gate counted: the baseline first, the candidate second."""
    pairs = counting.paired(candidate.predictions)
    if not len(pairs.rows) and candidate.verdict.paired is None:
        return None
    return JudgedImages(pairs.baseline_hits, pairs.hits, pairs.clusters)


def _named(
    run: ComparedRun, images: frozenset[str]
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Answers (None where there is none) and labels of some images, of those that it evaluated."""
    predictions = run.predictions
    rows = np.flatnonzero(np.isin(predictions.ids, sorted(images)))
    answers = Answers.from_predictions(predictions, rows)
    names, ids = predictions.classes, predictions.ids[rows].tolist()
    return (
        {
            image: names[answer] if answer >= 0 else None
            for image, answer in zip(ids, answers.answers.tolist(), strict=True)
        },
        {
            image: names[label]
            for image, label in zip(ids, answers.labels.tolist(), strict=True)
            if label >= 0
        },
    )
