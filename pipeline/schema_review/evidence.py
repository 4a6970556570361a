"""Which images are behind a difference from the schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from thawline.components.data_gate import format_shares, schema_comparison
from thawline.components.data_gate.schema_change import SHARES, ChangeLine
from thawline.components.ingestion import examples
from thawline.components.shared import tf_data

_BATCH = 64
_Decide = Callable[[tf.train.Example], bool]


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The images of a difference; none where it is not about single images.

    Attributes:
        images: how many.
        paths: the first of them in the order of the splits, relative to the source.
    """

    images: int
    paths: Sequence[str]


def gather(
    lines: Sequence[ChangeLine], schema: schema_pb2.Schema, files: Sequence[str], most: int
) -> list[Evidence]:
    """The images of each line, in one pass over the examples.

    Args:
        lines: differences.
        schema: they are from.
        files: TFRecords of the ingestion.
        most: paths to keep of each.
    """
    decide = [_decider(line, schema) for line in lines]
    counts, paths = [0] * len(lines), [list[str]() for _ in lines]
    for batch in (
        tf_data.batches(files, _BATCH).as_numpy_iterator() if files and any(decide) else ()
    ):
        for serialized in batch:
            example = tf.train.Example.FromString(serialized)
            for number, applies in enumerate(decide):
                if applies is not None and applies(example):
                    counts[number] += 1
                    if len(paths[number]) < most:
                        paths[number].append(examples.text(example, 'path') or '')
    return [Evidence(count, tuple(of)) for count, of in zip(counts, paths, strict=True)]


def _decider(line: ChangeLine, schema: schema_pb2.Schema) -> _Decide | None:
    """Whether an image is one of those; None where that is no question of single images."""
    names = {change.subject for change in line.changes}
    if line.kind == 'new_class':
        return lambda example: examples.text(example, schema_comparison.LABEL) in names
    if line.kind == 'formats' and SHARES not in names:
        return lambda example: examples.text(example, format_shares.FEATURE) in names
    if line.kind == 'new_value':
        (feature,) = names
        known = {None, *(schema_comparison.domain(schema, feature) or ())}
        values = {change.value for change in line.changes}
        return lambda example: (
            (text := examples.text(example, feature)) not in known
            and (text in values or values == {''})
        )
    if line.kind == 'new_column':
        return lambda example: any(examples.count_values(example, name) for name in names)
    if line.kind == 'missing_values':
        return lambda example: not all(examples.count_values(example, name) for name in names)
    if line.kind in ('sizes', 'lighting'):
        bounds = {name: schema_comparison.allowed_range(schema, name) for name in names}
        return lambda example: any(
            _is_outside(example, name, *of_name) for name, of_name in bounds.items()
        )
    return None


def _is_outside(
    example: tf.train.Example, name: str, least: float | None, most: float | None
) -> bool:
    number = float(examples.text(example, name) or 'nan')  # nan is neither below nor above
    return (least is not None and number < least) or (most is not None and number > most)
