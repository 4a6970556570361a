"""Ranks bases and recommends one: accuracy against cost, within the noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from thawline.components.statistics import clustered
from thawline.components.training.cross_validation import ProbeScores


@dataclasses.dataclass(frozen=True)
class Ranking:
    """The ranking of bases, as positions in the sequence that was compared.

    Attributes:
        order: best probe accuracy first; the cheaper first among equals.
        best: the first of them.
        recommended: the cheapest within one standard error of the best.
        best_over_recommended: accuracy of the best less that of the recommended base.
        best_over_random, best_over_majority: the same for random weights, and for always
            predicting the most frequent class.
    """

    order: tuple[int, ...]
    best: int
    recommended: int
    best_over_recommended: clustered.AccuracyGain
    best_over_random: clustered.AccuracyGain
    best_over_majority: clustered.AccuracyGain


def rank(
    transfers: Sequence[ProbeScores],
    milliseconds: Sequence[float],
    random: ProbeScores,
    groups: np.ndarray,
) -> Ranking:
    """Ranks bases that were measured on the same images and folds.

    The one standard error rule (Breiman, Friedman, Olshen & Stone, "Classification and Regression
    Trees", 1984, section 3.4.3): of models whose accuracies cannot be told apart, take the
    simplest. Here it is the cheapest to run, and the standard error is that of the paired
    difference to the best, which is smaller than that of either accuracy.

    Args:
        transfers: at least one.
        milliseconds: of one image, for each.
        random: of random weights, on the same folds.
        groups: [N], of the images.
    """
    shares = [transfer.probe.share for transfer in transfers]
    order = sorted(range(len(shares)), key=lambda i: (-shares[i], milliseconds[i]))
    best = order[0]
    hits = transfers[best].probe_hits
    gaps = [clustered.accuracy_gain(hits, other.probe_hits, groups) for other in transfers]
    # The best itself has no gap and no error; without a single comparison it stays.
    equal = [i for i, gap in enumerate(gaps) if i == best or gap.mean <= gap.standard_error]
    recommended = min(equal, key=lambda i: (milliseconds[i], -shares[i]))
    return Ranking(
        tuple(order),
        best,
        recommended,
        gaps[recommended],
        clustered.accuracy_gain(hits, random.probe_hits, groups),
        clustered.accuracy_gain(hits, transfers[best].majority_hits, groups),
    )
