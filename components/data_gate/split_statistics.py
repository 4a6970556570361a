"""TFDV's statistics of all splits together, by feature."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import statistics_pb2

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
_Feature: TypeAlias = statistics_pb2.FeatureNameStatistics


class SplitStatistics:
    """Of all splits."""

    def __init__(self, splits: Mapping[str, Statistics]) -> None:
        self._of_splits: dict[str, dict[str, _Feature]] = {}
        self.images = 0
        for split, statistics in splits.items():
            for dataset in statistics.datasets:
                self.images += int(dataset.num_examples)
                self._of_splits[split] = {
                    feature.name or '.'.join(feature.path.step): feature
                    for feature in dataset.features
                }

    @property
    def splits(self) -> Sequence[str]:
        """Names of those that have images."""
        return tuple(self._of_splits)

    def _of_feature(self, name: str) -> list[_Feature]:
        return [features[name] for features in self._of_splits.values() if name in features]

    def count_present(self, feature: str) -> int:
        """How many images have a value."""
        return sum(int(_common(of).num_non_missing) for of in self._of_feature(feature))

    def count_values(self, feature: str) -> dict[str, dict[str, int]]:
        """Value -> split -> images; see `are_all_counted`."""
        counts: dict[str, dict[str, int]] = collections.defaultdict(dict)
        for split in self.splits:
            for value, images in self.count_values_of_split(feature, split).items():
                counts[value][split] = images
        return counts

    def count_values_of_split(self, feature: str, split: str) -> dict[str, int]:
        """Value -> images of one split, the most frequent first."""
        statistics = self._of_splits[split].get(feature, _Feature()).string_stats
        return {
            bucket.label: int(bucket.sample_count) for bucket in statistics.rank_histogram.buckets
        }

    def are_all_counted(self, feature: str) -> bool:
        """Whether no split has more values than TFDV counts one by one, which are 1,000."""
        return all(
            of.string_stats.unique <= len(of.string_stats.rank_histogram.buckets)
            for of in self._of_feature(feature)
        )

    def count_distinct(self, feature: str) -> int:
        """How many values there are in the split that has the most."""
        return max((int(of.string_stats.unique) for of in self._of_feature(feature)), default=0)

    def find_range(self, feature: str) -> tuple[float, float]:
        """The smallest and the largest number."""
        numbers = [of.num_stats for of in self._of_feature(feature) if _common(of).num_non_missing]
        return min(of.min for of in numbers), max(of.max for of in numbers)


def _common(feature: _Feature) -> statistics_pb2.CommonStatistics:
    kind = feature.WhichOneof('stats')
    return getattr(feature, kind).common_stats if kind else statistics_pb2.CommonStatistics()
