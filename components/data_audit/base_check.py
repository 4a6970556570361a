"""Whether the pretrained base is any good here, against what needs no pretraining."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from thawline.components.data_audit.record import BaseCheck, Rival
from thawline.components.shared.errors import DataError
from thawline.components.statistics import clustered
from thawline.components.training import cross_validation

SAMPLE = 400  # images that are also embedded by random weights


def sample_rows(labels: np.ndarray, learned: np.ndarray, count: int = SAMPLE) -> np.ndarray:
    """At most `count` rows of train and val, evenly from the classes' own shares."""
    if len(learned) <= count:
        return learned
    mixed = np.random.default_rng(0).permutation(learned)
    place = np.zeros(len(mixed))
    for label in np.unique(labels[mixed]):
        members = np.flatnonzero(labels[mixed] == label)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(mixed[np.argsort(place, kind='stable')[:count]])


def check(
    base: np.ndarray,
    rivals: Mapping[str, np.ndarray],
    labels: np.ndarray,
    clusters: np.ndarray,
) -> BaseCheck | None:
    """Compares features image by image, on the same folds; None where there are no folds.

    Args:
        base: float32 [n, D], of the pretrained base.
        rivals: name -> float32 [n, E], finite.
        labels, clusters: [n].
    """
    try:
        ours = cross_validation.cross_validate(base, labels, clusters)
        hits = {'majority': ours.majority_hits} | {
            name: cross_validation.cross_validate(features, labels, clusters).probe_hits
            for name, features in rivals.items()
        }
    except DataError:
        return None
    compared = []
    for name, theirs in hits.items():
        gain = clustered.accuracy_gain(ours.probe_hits, theirs, clusters)
        compared.append(Rival(name, float(theirs.mean()), gain.mean, gain.lower, gain.upper))
    return BaseCheck(float(ours.probe_hits.mean()), len(labels), tuple(compared))
