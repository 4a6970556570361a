"""Intervals of the difference of metrics of two models on the same images: second less first.

What is difficult for both models cancels out, so the interval of the difference is narrower than
two separate ones. Needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.optimize
import scipy.sparse
import scipy.stats

from thawline.components.evaluation.metrics import BINS, TOP, Answers
from thawline.components.statistics.proportions import CONFIDENCE

REPLICATES = 1000
_CHUNK = 2_000_000  # weights at once
_MOST_RANKED = 200_000  # images x classes


def difference_intervals(
    first: Answers, second: Answers, clusters: np.ndarray | None = None, seed: int = 0
) -> dict[str, tuple[float, float] | None]:
    """Ends of the 95 % interval of the difference of each metric.

    By the paired bootstrap with percentiles (Efron & Tibshirani, "An Introduction to the
    Bootstrap", 1993): images are drawn with replacement, the same ones for both models. Images that
    share a cluster are drawn together, as they are not independent (the cluster bootstrap: Davison
    & Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8).

    Args:
        first, second: of the same images, labels in the class list, in the same order.
        clusters: names of their clusters, [N]; None where each image is one.
        seed: of the draws.

    Returns:
        By name, for the metrics that `WeightedMetrics` has for both; None where one is undefined
        in a draw.
    """
    first_metrics, second_metrics = WeightedMetrics(first), WeightedMetrics(second)
    drawn: dict[str, list[np.ndarray]] = {}
    for weights in _draws(_cluster_numbers(len(first), clusters), seed):
        first_values = first_metrics(weights)
        for name, values in second_metrics(weights).items():
            if name in first_values:
                drawn.setdefault(name, []).append(values - first_values[name])
    intervals: dict[str, tuple[float, float] | None] = {}
    tails = [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]
    for name, differences in drawn.items():
        low, high = np.quantile(np.concatenate(differences), tails)
        intervals[name] = (float(low), float(high)) if np.isfinite([low, high]).all() else None
    return intervals


def _cluster_numbers(n: int, clusters: np.ndarray | None) -> np.ndarray:
    """The number of each image's cluster, by first appearance: int64 [N]."""
    if clusters is None:
        return np.arange(n)
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in clusters.tolist()])


def _draws(cluster_of: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """How often each image is drawn: float64 [R, N], a few draws at a time.

    Args:
        cluster_of: numbers of clusters, int64 [N].
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    n = int(cluster_of.max()) + 1
    size = max(1, min(REPLICATES, _CHUNK // len(cluster_of)))
    for start in range(0, REPLICATES, size):
        count = min(size, REPLICATES - start)
        rows = generator.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
        drawn = np.bincount(rows.ravel(), minlength=count * n).reshape(count, n)
        yield drawn.astype(np.float64)[:, cluster_of]


class WeightedMetrics:
    """Metrics of weighted images, for many weightings at once.

    The same as in `components.evaluation.metrics.overall` for images repeated by their weights.
    Metrics of probabilities are left out where some are not finite. With many images and classes
    the area under the ROC curve is left out: it is not a ratio of sums and would take minutes.
    """

    def __init__(self, answers: Answers) -> None:
        """`answers` are N images with labels in the class list."""
        n, classes = answers.probabilities.shape
        rows, hits = np.arange(n), answers.hits.astype(float)
        answered = answers.has_answer

        def table(groups: np.ndarray, values: np.ndarray, size: int) -> scipy.sparse.csr_array:
            return scipy.sparse.csr_array((values, (groups, rows)), shape=(size, n))

        self._images = table(answers.labels, np.ones(n), classes)
        self._right = table(answers.labels, hits, classes)
        self._answered = table(np.where(answered, answers.answers, 0), answered * 1.0, classes)
        self._gaps, self._ranked = None, None
        self._means: dict[str, np.ndarray] = {}
        if not answered.all():
            return
        scores = answers.scores.astype(np.float64)
        bin_of = np.minimum((scores * BINS).astype(int), BINS - 1)
        self._gaps = table(bin_of, scores - hits, BINS)
        smallest = np.finfo(answers.probabilities.dtype).eps
        chosen = answers.probabilities[rows, answers.labels].astype(np.float64)
        self._means['log_loss'] = -np.log(np.clip(chosen, smallest, 1 - smallest))
        if classes > TOP:
            order = np.argsort(answers.probabilities, axis=1, kind='stable')[:, ::-1][:, :TOP]
            in_top = (order == answers.labels[:, None]).any(axis=1)
            self._means[f'top_{TOP}_accuracy'] = in_top.astype(float)
        self._ranked = answers if n * classes <= _MOST_RANKED else None

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics by name, float64 [R] each.

        Args:
            weights: float64 [R, N], at least 0, in each row one of them above 0.
        """
        turned, total = weights.T, weights.sum(axis=1)
        images, right = self._images @ turned, self._right @ turned
        values = {
            'balanced_accuracy': _mean_ratio(right, images),
            'macro_f1': _mean_ratio(2 * right, images + self._answered @ turned),
            **{name: weights @ mean / total for name, mean in self._means.items()},
        }
        if self._gaps is not None:
            values['ece'] = np.abs(self._gaps @ turned).sum(axis=0) / total
        if self._ranked is not None:
            values['auc_ovr'] = _area(self._ranked, weights)
        return values


def _mean_ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Mean over the classes that have something below: [C, R] to [R]; NaN where none has."""
    some = below > 0
    ratios = np.where(some, above / np.where(some, below, 1), 0)
    count = some.sum(axis=0)
    mean: np.ndarray = np.where(count, ratios.sum(axis=0) / np.maximum(count, 1), np.nan)
    return mean


def _area(answers: Answers, weights: np.ndarray) -> np.ndarray:
    """Mean area under the ROC curves of the classes that have one, by Mann and Whitney (1947)."""
    wins, pairs = [], []
    for position in np.unique(answers.labels):
        scores = answers.probabilities[:, position]
        order = np.argsort(scores)
        first_of_ties = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
        mine = answers.labels[order] == position
        drawn = weights[:, order]
        others = np.add.reduceat(np.where(mine, 0, drawn), first_of_ties, axis=1)
        own = np.add.reduceat(np.where(mine, drawn, 0), first_of_ties, axis=1)
        wins.append((own * (others.cumsum(axis=1) - others / 2)).sum(axis=1))
        pairs.append(own.sum(axis=1) * others.sum(axis=1))
    return _mean_ratio(np.array(wins), np.array(pairs))
