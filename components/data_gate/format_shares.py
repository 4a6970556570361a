"""Shares of source formats: the schema remembers them, TFDV's drift comparator compares them.

The feature `source_format` of a reviewed schema keeps them as tags of its annotation
(`tag: "JPEG=0.975"`), and the largest shift that is no difference as its `drift_comparator`
(TFDV's infinity norm: the largest change of one share).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from thawline.components.data_gate.schema_change import SHARES, SchemaChange
from thawline.components.data_gate.split_statistics import SplitStatistics, Statistics
from thawline.components.shared import percentages

FEATURE = 'source_format'
_DRIFT = frozenset(
    {
        anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH,
        anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
    }
)
_IMAGES = 10_000  # of the statistics that a comparator reads; it compares shares


def remembered(schema: schema_pb2.Schema) -> dict[str, float]:
    """The shares when the schema was reviewed; tags of other kinds are left alone."""
    of_format: dict[str, float] = {}
    for feature in schema.feature:
        for tag in feature.annotation.tag if feature.name == FEATURE else ():
            if (share := _share(tag)) is not None:
                of_format[tag.rpartition('=')[0]] = share
    return of_format


def remember(feature: schema_pb2.Feature, data: SplitStatistics) -> None:
    """Writes the shares of the data into the feature, in place of those that it has."""
    shares = [f'{name}={share:.4g}' for name, share in sorted(of_data(data).items())]
    kept = [tag for tag in feature.annotation.tag if _share(tag) is None or tag in shares]
    feature.annotation.tag[:] = [*kept, *(tag for tag in shares if tag not in kept)]


def _share(tag: str) -> float | None:
    try:
        return float(tag.rpartition('=')[2]) if '=' in tag else None
    except ValueError:
        return None


def of_data(data: SplitStatistics) -> dict[str, float]:
    """The share of each format."""
    counts = {value: sum(of.values()) for value, of in data.count_values(FEATURE).items()}
    images = sum(counts.values())
    return {value: count / images for value, count in counts.items()}


def shifts(
    schema: schema_pb2.Schema, listed: Collection[str], data: SplitStatistics
) -> Iterator[SchemaChange]:
    """The change, where shares have shifted by more than the schema's threshold.

    Args:
        schema: reviewed.
        listed: the formats that it lists; empty for any. A new one is a change of its own.
        data: of all splits.
    """
    before, now = remembered(schema), of_data(data)
    if not before or not now or (listed and now.keys() - set(listed)):
        return
    rule = schema_pb2.Schema(feature=[f for f in schema.feature if f.name == FEATURE])
    rule.string_domain.extend(schema.string_domain)
    anomalies = tfdv.validate_statistics(
        _statistics(now), rule, previous_statistics=_statistics(before)
    )
    types = {reason.type for info in anomalies.anomaly_info.values() for reason in info.reason}
    if types & _DRIFT:
        shifted = ', '.join(
            f'{name} from {percentages.percent(before.get(name, 0.0))} to '
            f'{percentages.percent(now.get(name, 0.0))}'
            for name in sorted({*before, *now})
        )
        yield SchemaChange('formats', SHARES, f'shares of source formats: {shifted}')


def _statistics(shares: Mapping[str, float]) -> Statistics:
    """Statistics with these shares, as far as TFDV's comparators read them."""
    statistics = Statistics()
    feature = statistics.datasets.add(num_examples=_IMAGES).features.add(
        type=statistics_pb2.FeatureNameStatistics.STRING
    )
    feature.path.step.append(FEATURE)
    common = feature.string_stats.common_stats
    common.num_non_missing = common.tot_num_values = _IMAGES
    common.min_num_values = common.max_num_values = 1
    common.avg_num_values = 1.0
    for name, share in shares.items():
        feature.string_stats.rank_histogram.buckets.add(label=name, sample_count=_IMAGES * share)
    return statistics
