"""What StatisticsGen knows of the images: their number, their columns, the edges of buckets."""

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
class ImageStatistics:
    """Of all splits.

    Attributes:
        images: of each split.
        metadata: names of the columns that the images came with, sorted.
        edges: of each column of buckets.
    """

    images: dict[str, int]
    metadata: tuple[str, ...]
    edges: dict[str, tuple[float, float]]


def read(folders: Mapping[str, str]) -> ImageStatistics:
    """Reads what StatisticsGen wrote; the edges are those of train.

    Args:
        folders: of each split.
    """
    images: dict[str, int] = {}
    metadata: set[str] = set()
    edges: dict[str, tuple[float, float]] = {}
    for split, folder in folders.items():
        (data,) = tfdv.load_stats_binary(os.path.join(folder, FILE)).datasets
        features = {feature.name or feature.path.step[0]: feature for feature in data.features}
        images[split] = data.num_examples
        metadata |= {name for name in features if name.startswith(slices.METADATA)}
        if split == 'train':
            edges = _edges(features)
    return ImageStatistics(images, tuple(sorted(metadata)), edges)


def _edges(
    features: Mapping[str, statistics_pb2.FeatureNameStatistics],
) -> dict[str, tuple[float, float]]:
    edges = {
        name: pair
        for name, feature in features.items()
        if (pair := tertiles(feature.num_stats)) is not None
    }
    sides = [edges[name] for name in _SIDES if name in edges]
    if sides:
        # Of the longer side itself there are no statistics; where all images are of one
        # orientation these are its own.
        edges['size'] = max(low for low, _ in sides), max(high for _, high in sides)
    return {name + slices.SUFFIX: edges[name] for name in slices.BUCKETS if name in edges}


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
