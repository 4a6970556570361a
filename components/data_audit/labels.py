"""Labels that out-of-fold answers contradict, and classes that the labels themselves confuse.

Confident learning (Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", JAIR 2021) by cleanlab estimates how many labels are wrong; those with the lowest
probability are suspect. Ranked so, more of them come first than by the margin, and of cleanlab's
ways to choose as many this one is right most often: with 5 % of the labels flipped, 49 to 74 % of
the suspects against 37 to 52 % by its default (flowers5, trashnet, two seeds each).
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues

from thawline.components.data_audit.record import Overlap

# A less probable label is suspect in any case: where classes are far apart, confident learning
# counts about half of the wrong labels. On flowers5, trashnet and the solar cells this adds none.
_IMPROBABLE = 0.05
# A pair of classes is reported where confident answers contradict so large a share of its labels,
# in both directions, and at least so many.
_OVERLAP_SHARE, _OVERLAP_IMAGES = 0.08, 8


@dataclasses.dataclass(frozen=True)
class LabelIssues:
    """What speaks against each label.

    Attributes:
        quality: float64 [N] in [0, 1], the probability of the label out of fold.
        suggested: int64 [N], the most probable other class.
        suspect: bool [N].
        votes: int64 [N], how many of the `of` nearest images have the suggested class.
        of: nearest images that vote.
    """

    quality: np.ndarray
    suggested: np.ndarray
    suspect: np.ndarray
    votes: np.ndarray
    of: int

    def ranking(self, ids: np.ndarray) -> np.ndarray:
        """All rows, the most suspicious first: suspects, then the others, by quality."""
        return np.lexsort((ids, self.quality, ~self.suspect))


def find_issues(
    labels: np.ndarray, probabilities: np.ndarray, learned: np.ndarray, nearest: np.ndarray
) -> LabelIssues:
    """Judges every label.

    Args:
        labels: int64 [N].
        probabilities: float64 [N, C], out of fold.
        learned: rows of train and val; labels of the others, of test, have no say in which are
            suspect.
        nearest: int64 [N, K], rows of the most similar others, which vote.
    """
    every = np.arange(len(labels))
    suspect = _confidently_other(labels, probabilities, learned)
    suspect[learned] = _suspects(labels[learned], probabilities[learned])
    quality = probabilities[every, labels]
    suspect |= (probabilities.argmax(axis=1) != labels) & (quality < _IMPROBABLE)
    others = probabilities.copy()
    others[every, labels] = -1.0
    suggested = others.argmax(axis=1)
    votes = (labels[nearest] == suggested[:, None]).sum(axis=1)
    return LabelIssues(quality, suggested, suspect, votes, nearest.shape[1])


def _suspects(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Bool [N]; classes without a label here are left out."""
    present, targets, some = _of_present(labels, probabilities)
    if len(present) < 2:
        return np.zeros(len(labels), bool)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # classes with so few images that it keeps one
        return np.asarray(
            find_label_issues(targets, some, filter_by='low_self_confidence', n_jobs=1), bool
        )


def _of_present(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The classes that have a label, labels as positions among them, and their probabilities."""
    present, targets = np.unique(labels, return_inverse=True)
    some = probabilities[:, present] + 1e-9
    return present, targets, some / some.sum(axis=1, keepdims=True)


def _confidently_other(
    labels: np.ndarray, probabilities: np.ndarray, learned: np.ndarray
) -> np.ndarray:
    """Labels beside which another class is as probable as it is, on average, for its own: bool [N].

    The averages are those of the learned images.
    """
    images = np.bincount(labels[learned], minlength=probabilities.shape[1])
    own = np.bincount(
        labels[learned], probabilities[learned, labels[learned]], probabilities.shape[1]
    )
    typical = np.where(images, own / np.maximum(images, 1), np.inf)
    answers = probabilities.argmax(axis=1)
    every = np.arange(len(labels))
    return np.asarray((answers != labels) & (probabilities[every, answers] >= typical[answers]))


def find_overlaps(
    labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str]
) -> list[Overlap]:
    """Pairs of classes whose labels are confused, the worst first, from train and val."""
    present, targets, some = _of_present(labels, probabilities)
    if len(present) < 2:
        return []
    joint = np.asarray(compute_confident_joint(targets, some))
    images = np.bincount(targets)
    pairs = (
        Overlap(
            names[present[a]],
            names[present[b]],
            int(joint[a, b]),
            int(joint[b, a]),
            float((joint[a, b] + joint[b, a]) / (images[a] + images[b])),
        )
        for a, b in zip(*np.triu_indices(len(present), 1), strict=True)
        if joint[a, b] and joint[b, a]
    )
    overlaps = (
        pair
        for pair in pairs
        if pair.share >= _OVERLAP_SHARE and pair.a_as_b + pair.b_as_a >= _OVERLAP_IMAGES
    )
    return sorted(overlaps, key=lambda pair: -pair.share)
