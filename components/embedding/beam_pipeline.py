"""The Beam pipeline of the Embedder: shards of pixels in, shards of embeddings out.

Each shard is read, decompressed and parsed by tf.data in batches of 64, in threads of TensorFlow
while the base works on the batch before. What the content store has of an image is taken from
there; the others are gathered to whole batches, across shards and splits. Elements are batches, not
images, and only a few of them are in memory at a time.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.io import fileio
from apache_beam.io.tfrecordio import _TFRecordUtil  # Has no public name.
from apache_beam.ml.inference.base import RunInference
from apache_beam.transforms import window
from apache_beam.utils import windowed_value

from thawline.components.embedding import embeddings, shards
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import FeatureExtractorHandler, ImageBatch
from thawline.components.shared import progress
from thawline.components.shared.content_store import Namespace
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.shared.store_shards import key_of
from thawline.components.shared.stored_fn import StoredFn
from thawline.components.transform.examples import BATCH, PackedBatch

_STORED, _MISSING = 'stored', 'missing'


def embed(
    root: beam.Pipeline,
    files: Mapping[str, Sequence[str]],
    settings: EmbeddingSettings,
    uri: str,
    weights_digest: str | None = None,
    namespace: Namespace | None = None,
) -> None:
    """Adds the pipeline.

    Args:
        files: transformed, gzipped TFRecord files of each split.
        settings: of the base and the views.
        uri: of the embeddings; the folders of the splits are made now.
        weights_digest: of the weights that every worker must have; None: any.
        namespace: of the store.
    """
    for split in files:
        tf.io.gfile.makedirs(embeddings.split_folder(uri, split))
    images = (
        root
        | 'Shards' >> beam.Create([(split, file) for split in files for file in files[split]])
        | 'Share out' >> beam.Reshuffle()  # otherwise one worker would get all of them
        | 'Read' >> beam.ParDo(_Read(settings, namespace)).with_outputs(_STORED, main=_MISSING)
    )
    computed = (
        images[_MISSING]
        | 'Embed' >> RunInference(FeatureExtractorHandler(settings, weights_digest))
        | 'Store' >> beam.ParDo(_Add(namespace))
    )
    (
        (images[_STORED], computed)
        | beam.Flatten()
        | 'Encode' >> beam.ParDo(_Encode())
        # One sink for all splits: each WriteToTFRecord would take Beam a tenth of a second.
        | 'Write'
        >> fileio.WriteToFiles(
            uri, destination=_split_of, sink=lambda _: _TFRecordSink(), file_naming=_name
        )
    )


def _split_of(record: tuple[str, bytes]) -> str:
    return record[0]


def _name(_window: Any, _pane: Any, index: int, total: int, _how: Any, split: str) -> str:
    return os.path.join(
        embeddings.split_folder('', split), f'{embeddings.FILE_PREFIX}-{index:05}-of-{total:05}'
    )


class _TFRecordSink(fileio.FileSink):
    """Writes the bytes of (split, bytes) in TFRecord framing."""

    def open(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, record: tuple[str, bytes]) -> None:
        _TFRecordUtil.write_record(self._file, record[1])

    def flush(self) -> None:
        """There is no buffer."""


class _Read(StoredFn):
    """(split, file) -> features that are in the store, and batches of the other images."""

    def __init__(self, settings: EmbeddingSettings, namespace: Namespace | None) -> None:
        super().__init__(namespace)
        self._settings = settings
        self._pending: dict[int, ImageBatch] = {}

    def process(self, shard: tuple[str, str]) -> Iterator[Any]:
        split, file = shard
        rows = self._settings.rows(split)
        for batch in shards.read_batches(file, self._settings.image_size):
            pairs = zip(batch.digests, batch.ids, strict=True)
            keys = [_key(digest, image_id, rows) for digest, image_id in pairs]
            stored = [self.records.get(key) for key in keys]
            present = [row for row, value in enumerate(stored) if value is not None]
            if present:
                features = _features(list(filter(None, stored)), rows)
                progress.advance(rows * len(present))
                images = _image_batch(split, keys, batch, present, features)
                yield beam.pvalue.TaggedOutput(_STORED, images)
            missing = [row for row, value in enumerate(stored) if value is None]
            if missing:
                pixels = shards.pixels(batch, missing, file)
                yield from self._gather(_image_batch(split, keys, batch, missing, pixels), rows)

    def _gather(self, batch: ImageBatch, rows: int) -> Iterator[ImageBatch]:
        """Whole batches of what is missing; the rest waits for more."""
        pending = self._pending.pop(rows, None)
        batch = batch if pending is None else _join(pending, batch)
        if len(batch) >= BATCH:  # and less than twice as many
            yield _part(batch, slice(BATCH))
            batch = _part(batch, slice(BATCH, None))
        if len(batch):
            self._pending[rows] = batch

    def finish_bundle(self) -> Iterator[Any]:
        """What still waits."""
        for batch in self._pending.values():
            yield windowed_value.WindowedValue(batch, window.MIN_TIMESTAMP, [window.GlobalWindow()])
        self._pending = {}
        super().finish_bundle()


def _key(digest: bytes, image_id: bytes, rows: int) -> bytes:
    """Key of the features of an image; augmented views also depend on its id."""
    return key_of(digest, image_id) if rows > 1 else digest


def _features(stored: Sequence[bytes], rows: int) -> np.ndarray:
    """Features of images from the store: float32 [n, rows, D]."""
    return np.frombuffer(b''.join(stored), np.float32).reshape(len(stored), rows, -1)


def _image_batch(
    split: str, keys: Sequence[bytes], batch: PackedBatch, rows: Sequence[int], values: np.ndarray
) -> ImageBatch:
    """Some rows of a batch, with their pixels or features."""
    chosen = tuple(keys[row] for row in rows)
    return ImageBatch((split,) * len(rows), chosen, batch.take(rows, values))


def _part(batch: ImageBatch, rows: slice) -> ImageBatch:
    return ImageBatch(batch.splits[rows], batch.keys[rows], batch.images.take(rows))


def _join(one: ImageBatch, other: ImageBatch) -> ImageBatch:
    columns = (
        np.concatenate([getattr(batch.images, field.name) for batch in (one, other)])
        for field in dataclasses.fields(LabelledSet)
    )
    return ImageBatch(one.splits + other.splits, one.keys + other.keys, LabelledSet(*columns))


class _Add(StoredFn):
    """Adds computed features to the store."""

    def process(self, batch: ImageBatch) -> Iterator[ImageBatch]:
        for key, features in zip(batch.keys, batch.images.values, strict=True):
            self.records.put(key, features.tobytes())
        yield batch


class _Encode(beam.DoFn):
    """Batch of features -> (split, serialized tf.Example) of each image."""

    def process(self, batch: ImageBatch) -> Iterator[tuple[str, bytes]]:
        yield from zip(batch.splits, embeddings.encode(batch.images), strict=True)
