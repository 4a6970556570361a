"""Facts of an image that tell its class without a look at what it shows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import sklearn.tree

from thawline.components.data_audit.record import FactAccuracy
from thawline.components.statistics import clustered

_LEAVES = 8
_SMALLEST_LEAF = 5


def measure(
    facts: Mapping[str, np.ndarray], labels: np.ndarray, fold: np.ndarray, clusters: np.ndarray
) -> list[FactAccuracy]:
    """Measures each fact by itself with a small decision tree, the best first.

    Args:
        facts: float [N] (NaN where unknown) or str [N].
        labels, fold: int [N].
        clusters: [N]; of the errors.
    """
    majority = labels == np.bincount(labels).argmax()
    results = []
    for name, values in facts.items():
        if len(np.unique(values)) < 2:
            continue
        hits = _hits(values, labels, fold)
        gain = clustered.accuracy_gain(hits, majority, clusters)
        shares = float(hits.mean()), float(majority.mean())
        results.append(FactAccuracy(name, *shares, gain.lower, gain.upper))
    return sorted(results, key=lambda fact: -fact.accuracy)


def _hits(values: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    hits = np.zeros(len(labels), bool)
    for index in np.unique(fold):
        held_out = fold == index
        column = _as_numbers(values, labels, ~held_out, int(labels.max()) + 1)
        tree = sklearn.tree.DecisionTreeClassifier(
            max_leaf_nodes=max(_LEAVES, int(labels.max()) + 1),
            min_samples_leaf=_SMALLEST_LEAF,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            tree.fit(column[~held_out], labels[~held_out])
        hits[held_out] = tree.predict(column[held_out]) == labels[held_out]
    return hits


def _as_numbers(
    values: np.ndarray, labels: np.ndarray, train: np.ndarray, classes: int
) -> np.ndarray:
    """A number as it is; a text as the classes' shares among train images that have it."""
    if values.dtype.kind == 'f':
        return np.nan_to_num(values, nan=-1.0)[:, None].astype(np.float32)
    _, codes = np.unique(values, return_inverse=True)
    shares = np.zeros((codes.max() + 1, classes), np.float32)
    np.add.at(shares, (codes[train], labels[train]), 1)
    counts = shares.sum(axis=1, keepdims=True)
    # An image's own label must not be in the share of a value that few have.
    prior = np.bincount(labels[train], minlength=classes) / train.sum()
    return ((shares + prior * _SMALLEST_LEAF) / (counts + _SMALLEST_LEAF))[codes]
