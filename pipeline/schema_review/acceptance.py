"""Takes differences between a schema and the data into the schema, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from thawline.components.data_gate import format_shares, schema_comparison
from thawline.components.data_gate.schema_change import SHARES, SchemaChange
from thawline.components.data_gate.schema_comparison import LABEL
from thawline.components.data_gate.split_statistics import SplitStatistics, Statistics
from thawline.pipeline.schema_review import proposal


def compare(schema: schema_pb2.Schema, statistics: Mapping[str, Statistics]) -> list[SchemaChange]:
    """All differences, as the data gate finds them in a run."""
    return schema_comparison.compare(
        schema, SplitStatistics(statistics), validate(schema, statistics)
    )


def validate(
    schema: schema_pb2.Schema, statistics: Mapping[str, Statistics]
) -> dict[str, anomalies_pb2.Anomalies]:
    """TFDV's verdict on each split, as of ExampleValidator."""
    return {
        split: tfdv.validate_statistics(of_split, schema) for split, of_split in statistics.items()
    }


def accept(
    schema: schema_pb2.Schema,
    changes: Sequence[SchemaChange],
    statistics: Mapping[str, Statistics],
) -> tuple[schema_pb2.Schema, list[SchemaChange]]:
    """The schema with these changes and no others.

    Returns:
        The schema, and the changes that are left: TFDV cannot adapt each rule that there can be.
    """
    accepted = schema_pb2.Schema()
    accepted.CopyFrom(schema)
    adapted = accepted
    for of_split in statistics.values():
        adapted = tfdv.update_schema(adapted, of_split)
    inferred = proposal.infer(statistics.values())
    for change in changes:
        _take(accepted, change, adapted, inferred)
    if any(change.kind == 'formats' for change in changes):
        feature = _feature(accepted, format_shares.FEATURE)
        format_shares.remember(feature, SplitStatistics(statistics))
    taken = {change.name for change in changes}
    return accepted, [left for left in compare(accepted, statistics) if left.name in taken]


def _take(
    schema: schema_pb2.Schema,
    change: SchemaChange,
    adapted: schema_pb2.Schema,
    inferred: schema_pb2.Schema,
) -> None:
    """Changes the schema in place.

    Args:
        schema: to change.
        change: to take into it.
        adapted: by TFDV, to all of the data.
        inferred: by TFDV, from the data alone.
    """
    subject = change.subject
    if change.kind == 'new_class':
        tfdv.get_domain(schema, LABEL).value.append(subject)
    elif change.kind == 'vanished_class':
        tfdv.get_domain(schema, LABEL).value.remove(subject)
    elif change.kind == 'formats':
        if subject != SHARES:
            tfdv.get_domain(schema, format_shares.FEATURE).value.append(subject)
    elif change.kind == 'new_value':
        if change.value:
            tfdv.get_domain(schema, subject).value.append(change.value)
        else:
            _feature(schema, subject).ClearField('domain')
            _feature(schema, subject).ClearField('string_domain')
            _drop_unused_domains(schema)
    elif change.kind == 'vanished_column':
        kept = [feature for feature in schema.feature if feature.name != subject]
        del schema.feature[:]
        schema.feature.extend(kept)
        _drop_unused_domains(schema)
    elif change.kind == 'new_column':
        _add_column(schema, inferred, subject)
    elif change.kind == 'missing_values':
        _copy_fields(schema, adapted, subject, ('presence', 'shape', 'value_count'))
    elif change.kind in ('sizes', 'lighting'):
        _copy_fields(schema, adapted, subject, ('int_domain', 'float_domain'))
    elif subject != schema_comparison.DATASET:
        _feature(schema, subject).CopyFrom(_feature(adapted, subject))


def _feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    return tfdv.get_feature(schema, name)


def _copy_fields(
    schema: schema_pb2.Schema, source: schema_pb2.Schema, name: str, fields: Iterable[str]
) -> None:
    ours, theirs = _feature(schema, name), _feature(source, name)
    for field in fields:
        if theirs.HasField(field):
            getattr(ours, field).CopyFrom(getattr(theirs, field))
        elif ours.HasField(field):
            ours.ClearField(field)


def _add_column(schema: schema_pb2.Schema, inferred: schema_pb2.Schema, name: str) -> None:
    feature = _feature(inferred, name)
    schema.feature.add().CopyFrom(feature)
    if feature.WhichOneof('domain_info') == 'domain':
        known = {domain.name for domain in schema.string_domain}
        schema.string_domain.extend(
            domain
            for domain in inferred.string_domain
            if domain.name == feature.domain and domain.name not in known
        )


def _drop_unused_domains(schema: schema_pb2.Schema) -> None:
    used = {feature.domain for feature in schema.feature if feature.HasField('domain')}
    kept = [domain for domain in schema.string_domain if domain.name in used]
    del schema.string_domain[:]
    schema.string_domain.extend(kept)
