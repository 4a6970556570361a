"""How far the values of one column have moved: TFDV's measures, each with an exact p-value.

TFDV's drift comparators say how far; of a few images both measures are large by chance alone, so
a p-value says how often chance would do that.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import scipy.stats
import tensorflow_data_validation as tfdv

JENSEN_SHANNON, LARGEST_CHANGE = 'Jensen-Shannon', 'largest change'
_DRAWS, _CHUNK = 9_999, 500
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class ColumnShift:
    """The distance of two columns, its measure, and the p-value of columns that far apart."""

    measure: str
    distance: float
    p_value: float


def measure(before: np.ndarray, now: np.ndarray, seed: int = 0) -> ColumnShift | None:
    """Compares values of independent images; None where there is nothing to compare.

    Numbers: Jensen-Shannon divergence of histograms, and the test of Kolmogorov and Smirnov
    (exact). Texts: the largest change of a share (L-infinity), and Pearson's statistic among tables
    with the same margins, 9,999 of which are drawn (Fisher's exact test for tables of any size).

    Args:
        before, now: float [N] and [M], NaN where unknown, or str [N] and [M].
        seed: of the draws.
    """
    is_number = before.dtype.kind == 'f'
    if is_number:
        before, now = before[np.isfinite(before)], now[np.isfinite(now)]
    if not len(before) or not len(now) or len(np.unique(np.concatenate([before, now]))) < 2:
        return None
    distance = _distance(before, now, is_number)
    if is_number:
        p_value = float(scipy.stats.ks_2samp(before, now).pvalue)
        return ColumnShift(JENSEN_SHANNON, distance, p_value)
    return ColumnShift(LARGEST_CHANGE, distance, _table_p_value(before, now, seed))


def _distance(before: np.ndarray, now: np.ndarray, is_number: bool) -> float:
    statistics = [
        tfdv.generate_statistics_from_dataframe(pd.DataFrame({'column': values}), n_jobs=1)
        for values in (before, now)
    ]
    schema = tfdv.infer_schema(statistics[0])
    comparator = tfdv.get_feature(schema, 'column').drift_comparator
    # It reports what it measures only of features with a threshold.
    if is_number:
        comparator.jensen_shannon_divergence.threshold = 1.0
    else:
        comparator.infinity_norm.threshold = 1.0
    anomalies = tfdv.validate_statistics(statistics[1], schema, previous_statistics=statistics[0])
    return float(anomalies.drift_skew_info[0].drift_measurements[0].value)


def _table_p_value(before: np.ndarray, now: np.ndarray, seed: int) -> float:
    names = np.unique(np.concatenate([before, now]))
    counts = np.array([[(values == name).sum() for name in names] for values in (before, now)])
    total, new = counts.sum(axis=0), counts[1].sum()
    expected = total * new / total.sum()
    rng = np.random.default_rng(seed)

    def statistic(drawn: np.ndarray) -> np.ndarray:
        # Of the other row it is the same up to a factor.
        return np.asarray(((drawn - expected) ** 2 / expected).sum(axis=-1))

    observed = float(statistic(counts[1])) - _ROUNDING
    as_far = 0
    for start in range(0, _DRAWS, _CHUNK):  # a column of file names has thousands of values
        some = rng.multivariate_hypergeometric(total, new, size=min(_CHUNK, _DRAWS - start))
        as_far += int((statistic(some) >= observed).sum())
    return (1 + as_far) / (1 + _DRAWS)
