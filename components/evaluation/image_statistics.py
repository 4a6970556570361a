"""Where the buckets of facts begin, and what else StatisticsGen knows of the images beforehand."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

import numpy as np
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

from thawline.components.evaluation import slices

FILE = 'FeatureStats.pb'
_SIDES = ('width', 'height')


@dataclasses.dataclass(frozen=True)
class Known:
    """Known from the statistics.

    Attributes:
        images: of each split.
        metadata: names of the columns that the images came with, sorted.
        edges: of each column of buckets.
    """

    images: dict[str, int]
    metadata: tuple[str, ...]
    edges: dict[str, tuple[float, float]]


def read(folders: Mapping[str, str]) -> Known:
    """Reads what StatisticsGen wrote; the edges are those of train.

    Args:
        folders: of each split.
    """
    images: dict[str, int] = {}
    metadata: set[str] = set()
    edges: dict[str, tuple[float, float]] = {}
    for split, folder in folders.items():
        (data,) = tfdv.load_stats_binary(os.path.join(folder, FILE)).datasets
        features = {one.name or one.path.step[0]: one for one in data.features}
        images[split] = data.num_examples
        metadata |= {name for name in features if name.startswith(slices.METADATA)}
        if split == 'train':
            edges = _edges(features)
    return Known(images, tuple(sorted(metadata)), edges)


def _edges(
    features: Mapping[str, statistics_pb2.FeatureNameStatistics],
) -> dict[str, tuple[float, float]]:
    measured = {name: tertiles(one.num_stats) for name, one in features.items()}
    found = {name: pair for name, pair in measured.items() if pair is not None}
    sides = [found[name] for name in _SIDES if name in found]
    if sides:
        # Of the longer side itself there are no statistics; where all images are of one
        # orientation these are its own.
        found['size'] = max(one[0] for one in sides), max(one[1] for one in sides)
    return {name + slices.SUFFIX: found[name] for name in slices.BUCKETS if name in found}


def tertiles(
    numbers: statistics_pb2.NumericStatistics,
) -> tuple[float, float] | None:
    """A third and two thirds of the values lie below these; None where there are no quantiles.

    The quantiles of the statistics are tenths; between them values are taken as evenly spread.
    """
    for histogram in numbers.histograms:
        if histogram.type == statistics_pb2.Histogram.QUANTILES and histogram.buckets:
            ends = [histogram.buckets[0].low_value, *(b.high_value for b in histogram.buckets)]
            below = np.cumsum([0.0, *(b.sample_count for b in histogram.buckets)])
            low, high = np.interp(below[-1] * np.array([1, 2]) / 3, below, ends)
            return float(low), float(high)
    return None
