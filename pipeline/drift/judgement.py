"""Whether new images differ from earlier ones, from arrays to the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import threadpoolctl
from sklearn.preprocessing import normalize

from thawline.components.data_audit import outliers, two_sample
from thawline.components.data_audit.images import AuditedImages
from thawline.components.data_audit.two_sample import TwoSampleTest
from thawline.components.embedding import similarity
from thawline.components.shared import progress
from thawline.components.statistics import proportions, unpaired
from thawline.pipeline.config.drift import Drift
from thawline.pipeline.drift import column_shift, units
from thawline.pipeline.drift.record import (
    APPEARANCE,
    PREDICTED,
    ClassShare,
    Compared,
    DifferentImage,
    Verdict,
)

AUROC = 'AUROC'
SHOWN = 24  # images of each kind


@dataclasses.dataclass(frozen=True)
class AnsweredImages:
    """New images with what the model and the base make of them.

    Attributes:
        ids, names, groups: str [M].
        features: float32 [M, D].
        facts: as `AuditedImages` has them.
        answers: str [M], predicted classes.
        scores: float32 [M], of the predictions.
    """

    ids: np.ndarray
    names: np.ndarray
    groups: np.ndarray
    features: np.ndarray
    facts: Mapping[str, np.ndarray]
    answers: np.ndarray
    scores: np.ndarray


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The verdict and what it rests on; see `DriftRecord`."""

    verdict: Verdict
    independent: int
    compared: tuple[Compared, ...]
    classes: tuple[ClassShare, ...]
    outliers_before: float
    outliers: float
    different: tuple[DifferentImage, ...]
    missing: tuple[DifferentImage, ...]


# On a busy machine the threads of BLAS wait for each other.
@threadpoolctl.threadpool_limits.wrap(limits=1, user_api='blas')
def judge(
    earlier: AuditedImages,
    answers_before: np.ndarray,
    new: AnsweredImages,
    classes: Sequence[str],
    policy: Drift,
) -> Judgement:
    """Compares appearance, facts and predicted classes.

    Args:
        earlier: images of train and val.
        answers_before: str [K], predicted classes of images of the same kind.
        new: images to judge.
        classes: of the model.
        policy: from when on a difference counts.
    """
    features = np.concatenate([earlier.features, new.features])
    is_new = np.arange(len(features)) >= len(earlier)
    directions = similarity.principal_directions(normalize(features))
    progress.start('near-duplicates')
    unit_of = units.tie(directions, np.concatenate([earlier.clusters, new.groups]), is_new)
    old_rows, new_rows = (units.first_rows(unit_of[kind]) for kind in (~is_new, is_new))
    enough = min(len(new_rows), len(old_rows)) >= policy.least_images
    test, compared = None, []
    if enough:
        progress.start('two-sample test')
        test = two_sample.test(features, is_new, unit_of)
        compared = _corrected(
            [
                (APPEARANCE, AUROC, test.auroc.share, policy.auroc, test.p_value),
                *_columns(earlier, old_rows, new, new_rows, answers_before, policy),
            ],
            test,
            policy.level,
        )
    old, others = directions[~is_new], directions[is_new]
    distance = outliers.distances(old, earlier.labels)
    far = outliers.distances(old, earlier.labels, others)
    verdict: Verdict = 'drift' if any(of.drifted for of in compared) else 'no drift'
    return Judgement(
        verdict if enough else 'too few',
        len(new_rows),
        tuple(compared),
        tuple(_class_shares(answers_before, new.answers[new_rows], classes)),
        float(outliers.far_out(distance).mean()),
        float(outliers.far_out(distance, far).mean()),
        _different(new, far, test, is_new, new_rows),
        _missing(earlier, distance, test, is_new, old_rows),
    )


_Row = tuple[str, str, float, float, float]  # name, measure, value, threshold, p-value


def _columns(
    earlier: AuditedImages,
    old_rows: np.ndarray,
    new: AnsweredImages,
    new_rows: np.ndarray,
    answers_before: np.ndarray,
    policy: Drift,
) -> list[_Row]:
    """Facts that both have, and the predicted class, of independent images."""
    pairs = {
        name: (values[old_rows], new.facts[name][new_rows])
        for name, values in earlier.facts.items()
        if name in new.facts
    }
    pairs[PREDICTED] = (answers_before, new.answers[new_rows])
    rows = []
    for name, (before, now) in pairs.items():
        shift = column_shift.measure(before, now)
        if shift is not None:
            is_number = shift.measure == column_shift.JENSEN_SHANNON
            limit = policy.numbers if is_number else policy.categories
            rows.append((name, shift.measure, shift.distance, limit, shift.p_value))
    return rows


def _corrected(rows: Sequence[_Row], test: TwoSampleTest, level: float) -> list[Compared]:
    """With p-values for all of them together (Holm 1979); what drifted comes first."""
    compared, highest = [], 0.0
    for place, row in enumerate(sorted(rows, key=lambda row: row[-1])):
        name, measure, value, threshold, p_value = row
        highest = max(highest, min(1.0, (len(rows) - place) * p_value))
        lower, upper = (test.auroc.lower, test.auroc.upper) if name == APPEARANCE else (None, None)
        drifted = highest <= level and value >= threshold
        compared.append(Compared(name, measure, value, lower, upper, threshold, highest, drifted))
    return sorted(compared, key=lambda of: (not of.drifted, of.name != APPEARANCE, of.p_value))


def _class_shares(before: np.ndarray, now: np.ndarray, classes: Sequence[str]) -> list[ClassShare]:
    shares = []
    for name in classes:
        first, second = (
            proportions.wilson(int((answers == name).sum()), len(answers))
            for answers in (before, now)
        )
        change = unpaired.unpaired_difference(first, second)
        if change is None or change.lower is None or change.upper is None:
            continue
        was = float((before == name).mean())
        shares.append(ClassShare(name, was, was + change.value, change.lower, change.upper))
    return shares


def _likeness(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The share of others with a lower score, of each score."""
    return np.asarray(np.searchsorted(np.sort(others), scores) / max(len(others), 1))


def _different(
    new: AnsweredImages,
    distance: np.ndarray,
    test: TwoSampleTest | None,
    is_new: np.ndarray,
    rows: np.ndarray,
) -> tuple[DifferentImage, ...]:
    """By the classifier where there is one, else by their distance."""
    likeness = np.full(len(distance), 0.5)
    order = distance
    if test is not None:
        likeness = _likeness(test.scores[is_new], test.scores[~is_new])
        order = test.scores[is_new]
    chosen = rows[np.argsort(-order[rows], kind='stable')][:SHOWN]
    return tuple(
        DifferentImage(
            str(new.ids[row]), str(new.names[row]), str(new.answers[row]), float(new.scores[row]),
            float(likeness[row]), float(distance[row]),
        )
        for row in chosen
    )  # fmt: skip


def _missing(
    earlier: AuditedImages,
    distance: np.ndarray,
    test: TwoSampleTest | None,
    is_new: np.ndarray,
    rows: np.ndarray,
) -> tuple[DifferentImage, ...]:
    if test is None:
        return ()
    scores = test.scores[~is_new]
    likeness = _likeness(scores, test.scores[is_new])
    chosen = rows[np.argsort(scores[rows], kind='stable')][:SHOWN]
    return tuple(
        DifferentImage(
            str(earlier.ids[row]), str(earlier.paths[row]),
            earlier.classes[earlier.labels[row]], None, float(likeness[row]), float(distance[row]),
        )
        for row in chosen
    )  # fmt: skip
