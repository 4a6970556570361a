"""Answers about a unit instead of an image: what the images of one cluster say together.

Multiple-instance learning calls a unit a bag. Units are independent of each other, so what counts
them needs no clusters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.metrics import NO_ANSWER, Answers
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared.errors import ConfigError, DataError
from thawline.components.shared.text import abbreviate


@dataclasses.dataclass(frozen=True)
class Joining:
    """How the answers of a unit's images become one.

    Attributes:
        by: `Gate.joined_by`.
        threshold, positive: of the model's rule, for means of probabilities.
        sign: position of `Gate.positive`, for any; -1 without.
    """

    by: str
    threshold: float
    positive: int
    sign: int = -1

    @classmethod
    def of(cls, gate: Gate, rule: Rule, classes: Sequence[str]) -> Joining | None:
        """None where images are judged one by one.

        Raises:
            ConfigError: any is asked of other than two classes, or of a class that is not there.
        """
        if gate.unit == 'image':
            return None
        sign = -1
        if gate.joined_by == 'any':
            positive = gate.positive or ''
            if len(classes) != 2 or positive not in classes:
                raise ConfigError(
                    'gate.joined_by: any needs two classes, and gate.positive to be one of them. '
                    f'Received: positive {positive!r}, classes {abbreviate(classes, 5)}'
                )
            sign = list(classes).index(positive)
        return cls(gate.joined_by, rule.threshold, rule.positive, sign)


def join(answers: Answers, clusters: np.ndarray, joining: Joining) -> Answers:
    """One answer a unit, in the order of their names; its probabilities are the means.

    - mean: the model's rule on the mean probabilities (soft voting).
    - majority: the class that most images are answered with (hard voting), of equally frequent ones
      the most probable by the means. An image without an answer is a vote for none.
    - any: the sign if any image is answered with it, else the other class.

    Args:
        answers: of N images.
        clusters: the unit of each: str [N].
        joining: how.

    Raises:
        DataError: images of one unit have different labels.
    """
    names, index = np.unique(clusters, return_inverse=True)
    if not len(names):
        return answers
    labels = answers.labels[np.unique(index, return_index=True)[1]]
    if (differs := answers.labels != labels[index]).any():
        raise DataError(
            'gate.unit: group needs one label a group, but the images of '
            f'{abbreviate(map(repr, np.unique(clusters[differs]).tolist()), 3)} have several. '
            'Correct the labels or the groups, or set gate.unit: image.'
        )
    images = np.bincount(index)[:, None]
    means = np.zeros((len(names), answers.probabilities.shape[1]))
    np.add.at(means, index, answers.probabilities.astype(np.float64))
    means /= images
    votes = np.zeros_like(means)
    some = answers.has_answer
    np.add.at(votes, (index[some], answers.answers[some]), 1)
    served = _served(means, votes, joining)
    served = np.where(votes.any(axis=1), served, NO_ANSWER)
    if joining.by == 'mean':  # of a NaN there is no mean
        served = np.where(np.isfinite(means).all(axis=1), served, NO_ANSWER)
    scores = np.take_along_axis(means, np.maximum(served, 0)[:, None], axis=1)[:, 0]
    return Answers(labels, served, scores.astype(np.float32), means.astype(np.float32))


def _served(means: np.ndarray, votes: np.ndarray, joining: Joining) -> np.ndarray:
    if joining.by == 'any':
        return np.where(votes[:, joining.sign] > 0, joining.sign, 1 - joining.sign)
    if joining.by == 'majority':
        most = votes == votes.max(axis=1, keepdims=True)
        served: np.ndarray = np.where(most, np.nan_to_num(means), -1.0).argmax(axis=1)
        return served
    return Rule(threshold=joining.threshold, positive=joining.positive).chosen(means)
