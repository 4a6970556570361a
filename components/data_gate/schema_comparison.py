"""Compares a schema with statistics: TFDV's anomalies, by kind, with counts and plain words.

What differs is TFDV's verdict; these functions say what kind it is and count the images. TFDV has
no rule for a class of the schema that no image has any more.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from thawline.components.data_gate import format_shares
from thawline.components.data_gate.schema_change import KINDS, Kind, SchemaChange
from thawline.components.data_gate.split_statistics import SplitStatistics
from thawline.components.shared import percentages

_Info: TypeAlias = anomalies_pb2.AnomalyInfo

LABEL = 'label'
DATASET = 'dataset'  # the subject of rules about all images together
_SIZES, _LIGHTING = ('height', 'width'), ('brightness', 'contrast')
_METADATA = 'meta_'
_RANGES = frozenset(
    {
        _Info.INT_TYPE_SMALL_INT,
        _Info.INT_TYPE_BIG_INT,
        _Info.FLOAT_TYPE_SMALL_FLOAT,
        _Info.FLOAT_TYPE_BIG_FLOAT,
    }
)
_ABSENT = frozenset(
    {
        _Info.SCHEMA_MISSING_COLUMN,
        _Info.FEATURE_TYPE_LOW_FRACTION_PRESENT,
        _Info.FEATURE_TYPE_LOW_NUMBER_PRESENT,
        _Info.FEATURE_TYPE_NOT_PRESENT,
        _Info.INVALID_FEATURE_SHAPE,  # a shape promises a value in every image
    }
)


def compare(
    schema: schema_pb2.Schema,
    data: SplitStatistics,
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
) -> list[SchemaChange]:
    """All differences, in the order of the kinds and of their names.

    Args:
        schema: reviewed, or inferred.
        data: the statistics of all splits.
        anomalies: of each split, as `tfdv.validate_statistics` returns them.
    """
    reasons: dict[str, dict[int, list[str]]] = collections.defaultdict(dict)
    for split, of_split in anomalies.items():
        for name, info in of_split.anomaly_info.items():
            feature = '.'.join(info.path.step) or name
            for reason in info.reason:
                text = f'{reason.short_description}: {reason.description.strip()} (in {split})'
                reasons[feature].setdefault(reason.type, []).append(text)
    changes = [
        *_vanished_classes(schema, data),
        *format_shares.shifts(schema, domain(schema, format_shares.FEATURE) or (), data),
        *_dataset_rules(anomalies),
        *(
            change
            for name, by_type in reasons.items()
            for change in _of_feature(schema, data, name, by_type)
        ),
    ]
    return sorted(changes, key=lambda change: (KINDS.index(change.kind), change.name))


def _of_feature(
    schema: schema_pb2.Schema, data: SplitStatistics, name: str, reasons: Mapping[int, list[str]]
) -> Iterator[SchemaChange]:
    types = set(reasons)
    if _Info.SCHEMA_NEW_COLUMN in types:
        if present := data.count_present(name):  # TFDV counts a column without a value, too
            yield SchemaChange(
                'new_column', name, f'new column {name!r}, in {_images(present, data)}'
            )
        return
    if _Info.ENUM_TYPE_UNEXPECTED_STRING_VALUES in types:
        types.remove(_Info.ENUM_TYPE_UNEXPECTED_STRING_VALUES)
        yield from _new_values(schema, data, name)
    if name.startswith(_METADATA) and types & _ABSENT:
        types -= _ABSENT
        yield _absence(data, name)
    if types & _RANGES and name in (*_SIZES, *_LIGHTING):
        types -= _RANGES
        yield _out_of_range(schema, data, name)
    if types:
        texts = [text for kind in sorted(types) for text in reasons[kind]]
        yield SchemaChange('other_rules', name, f'{name!r}: {"; ".join(dict.fromkeys(texts))}')


def domain(schema: schema_pb2.Schema, feature: str) -> list[str] | None:
    """The values that the schema lists for a feature; None where it lists none."""
    try:
        return list(tfdv.get_domain(schema, feature).value)
    except (ValueError, AttributeError):  # no such feature, no domain, or one that is no list
        return None


def _new_values(
    schema: schema_pb2.Schema, data: SplitStatistics, name: str
) -> Iterator[SchemaChange]:
    known = domain(schema, name) or ()
    counts = data.count_values(name)
    if name.startswith(_METADATA) and not data.are_all_counted(name):
        yield SchemaChange(
            'new_value', name,
            f'{name!r} has about {data.count_distinct(name):,} values, too many for a list of '
            f'{len(known):,}; accepting removes the list',
        )  # fmt: skip
        return
    for value in sorted(counts.keys() - set(known)):
        images = _by_split(counts[value])
        if name == LABEL:
            yield SchemaChange('new_class', value, f'new class {value!r}, {images}')
        elif name == format_shares.FEATURE:
            share = percentages.percent(sum(counts[value].values()) / max(data.images, 1))
            yield SchemaChange('formats', value, f'new source format {value}, {images}, {share}')
        else:
            yield SchemaChange('new_value', name, f'new value {value!r} of {name}, {images}', value)


def _vanished_classes(schema: schema_pb2.Schema, data: SplitStatistics) -> Iterator[SchemaChange]:
    if not data.are_all_counted(LABEL):
        return
    for label in sorted(set(domain(schema, LABEL) or ()) - data.count_values(LABEL).keys()):
        yield SchemaChange('vanished_class', label, f'class {label!r} has no image any more')


def _absence(data: SplitStatistics, name: str) -> SchemaChange:
    present = data.count_present(name)
    if not present:
        return SchemaChange('vanished_column', name, f'column {name!r} is in no image any more')
    return SchemaChange(
        'missing_values', name,
        f'column {name!r} is empty in {_images(data.images - present, data)}, more than the schema '
        'allows',
    )  # fmt: skip


def _out_of_range(schema: schema_pb2.Schema, data: SplitStatistics, name: str) -> SchemaChange:
    kind: Kind = 'sizes' if name in _SIZES else 'lighting'
    unit = ' pixels' if kind == 'sizes' else ''
    return SchemaChange(
        kind, name,
        f'{name} is {_span(*data.find_range(name))}{unit}; the schema allows '
        f'{_span(*allowed_range(schema, name))}',
    )  # fmt: skip


def allowed_range(schema: schema_pb2.Schema, name: str) -> tuple[float | None, float | None]:
    """The bounds of a number by the schema; None where there is none."""
    for feature in schema.feature:
        kind = feature.WhichOneof('domain_info')
        if feature.name == name and kind in ('int_domain', 'float_domain'):
            bounds = getattr(feature, kind)
            return tuple(  # type: ignore[return-value]
                getattr(bounds, end) if bounds.HasField(end) else None for end in ('min', 'max')
            )
    return None, None


def _span(least: float | None, most: float | None) -> str:
    if least is None:
        return f'at most {_number(most)}'
    return f'at least {_number(least)}' if most is None else f'{_number(least)} to {_number(most)}'


def _number(value: float | None) -> str:
    """Pixels in full, shares with what matters of them."""
    return f'{value:,.0f}' if value is not None and float(value).is_integer() else f'{value:.2g}'


def _dataset_rules(anomalies: Mapping[str, anomalies_pb2.Anomalies]) -> Iterator[SchemaChange]:
    texts = []
    for split, of_split in anomalies.items():
        if of_split.data_missing:
            texts.append(f'there are no images in {split}')
        if of_split.HasField('dataset_anomaly_info'):
            texts.append(f'{of_split.dataset_anomaly_info.description} (in {split})')
    if texts:
        yield SchemaChange('other_rules', DATASET, '; '.join(texts))


def _images(count: int, data: SplitStatistics) -> str:
    return f'{count:,} of {data.images:,} images'


def _by_split(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    noun = 'image' if total == 1 else 'images'
    return f'{total:,} {noun} ({", ".join(f"{split} {n:,}" for split, n in counts.items())})'
