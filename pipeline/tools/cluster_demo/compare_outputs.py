"""Compares the results of two runs of a project: an engine must not change them."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2

from thawline.components.shared import node_names

# Sums of floating point numbers depend on their order, and convolutions on the batch.
TOLERANCE = 1e-4


def differences(one: pathlib.Path, other: pathlib.Path) -> list[str]:
    """The differences between the newest artifacts of two outputs, a line each."""
    return [
        *_records('images', *_both(one, other, node_names.IMAGE_EXAMPLE_GEN, 'examples')),
        *_statistics(*_both(one, other, node_names.STATISTICS_GEN, 'statistics')),
        *_records(
            'transformed images', *_both(one, other, node_names.TRANSFORM, 'transformed_examples')
        ),
        *_embeddings(*_both(one, other, node_names.EMBEDDER, 'embeddings')),
        *_predictions(*_both(one, other, node_names.EVALUATOR, 'evaluation')),
    ]


def _both(
    one: pathlib.Path, other: pathlib.Path, node: str, key: str
) -> tuple[pathlib.Path, pathlib.Path]:
    return newest(one, node, key), newest(other, node, key)


def newest(output: pathlib.Path, node: str, key: str) -> pathlib.Path:
    """The newest artifact of a node."""
    return max((output / 'artifacts' / node / key).iterdir(), key=lambda folder: int(folder.name))


def _read(folder: pathlib.Path) -> dict[str, list[bytes]]:
    """Records of each split, sorted: engines keep no order.

    Nor have fields of a tf.Example one: Transform orders them differently in each process.
    """
    return {
        split.name: sorted(
            tf.train.Example.FromString(record).SerializeToString(deterministic=True)
            for file in split.iterdir()
            for record in tf.data.TFRecordDataset(
                str(file), compression_type='GZIP'
            ).as_numpy_iterator()
        )
        for split in folder.glob('Split-*')
    }


def _records(title: str, one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
    ours, theirs = _read(one), _read(other)
    for split in sorted({*ours, *theirs}):
        a, b = ours.get(split, []), theirs.get(split, [])
        if a != b:
            shared = len(set(a) & set(b))
            yield f'{title}, {split}: {len(a)} and {len(b)} records, {shared} of them equal'


def _statistics(one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
    for split in sorted(path.name for path in one.glob('Split-*')):
        a, b = (_feature_counts(folder / split / 'FeatureStats.pb') for folder in (one, other))
        for name in sorted({*a, *b}):
            x, y = a.get(name), b.get(name)
            if x is None or y is None or not np.allclose(x, y, rtol=TOLERANCE, atol=1e-9):
                yield f'statistics, {split}: {name} {x} and {y}'


def _feature_counts(path: pathlib.Path) -> dict[str, list[float]]:
    """Of each feature: count, minimum, maximum, mean, deviation; or count, distinct values."""
    dataset = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets[0]
    counts: dict[str, list[float]] = {'examples': [float(dataset.num_examples)]}
    for feature in dataset.features:
        name = '.'.join(feature.path.step) or feature.name
        if feature.HasField('num_stats'):
            numbers = feature.num_stats
            present = float(numbers.common_stats.num_non_missing)
            counts[name] = [present, numbers.min, numbers.max, numbers.mean, numbers.std_dev]
        elif feature.HasField('string_stats'):
            texts = feature.string_stats
            counts[name] = [float(texts.common_stats.num_non_missing), float(texts.unique)]
    return counts


def _embeddings(one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
    from thawline.components.embedding import embeddings

    for split in sorted(path.name.removeprefix('Split-') for path in one.glob('Split-*')):
        a, b = (embeddings.load(str(folder), split) for folder in (one, other))
        same_images = all(
            np.array_equal(getattr(a, name), getattr(b, name))
            for name in ('labels', 'ids', 'confidence')
        )
        if a.values.shape != b.values.shape or not same_images:
            yield f'embeddings, {split}: {a.values.shape} and {b.values.shape}, or other images'
        elif not np.allclose(a.values, b.values, rtol=TOLERANCE, atol=TOLERANCE):
            yield f'embeddings, {split}: up to {np.abs(a.values - b.values).max():g} apart'


def _predictions(one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
    tables = [
        pq.read_table(folder / 'predictions').sort_by(
            [('split', 'ascending'), ('path', 'ascending')]
        )
        for folder in (one, other)
    ]
    a, b = (table.select(['split', 'path', 'label', 'answer']).to_pylist() for table in tables)
    if a != b:
        changed = sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))
        yield f'predictions: {changed} of {len(a)} differ'
