"""The Beam pipeline of the Embedder: shards of pixels in, shards of embeddings out.

Each shard is read, decompressed and parsed by tf.data in batches of 64, in threads of TensorFlow
while the base works on the batch before. Elements are batches, not images, and only a few of them
are in memory at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import apache_beam as beam
import tensorflow as tf
from apache_beam.io import fileio
from apache_beam.io.tfrecordio import _TFRecordUtil  # Has no public name.
from apache_beam.ml.inference.base import RunInference

from thawline.components.embedding import embeddings, shards
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.embedding.feature_extractor import FeatureExtractorHandler, SplitSet


def embed(
    root: beam.Pipeline,
    files: Mapping[str, Sequence[str]],
    settings: EmbeddingSettings,
    uri: str,
    weights_digest: str | None = None,
) -> None:
    """Adds the pipeline.

    Args:
        files: transformed, gzipped TFRecord files of each split.
        settings: of the base and the views.
        uri: of the embeddings; the folders of the splits are made now.
        weights_digest: of the weights that every worker must have; None: any.
    """
    for split in files:
        tf.io.gfile.makedirs(embeddings.split_folder(uri, split))
    (
        root
        | 'Shards' >> beam.Create([(split, file) for split in files for file in files[split]])
        | 'Share out' >> beam.Reshuffle()  # otherwise one worker would get all of them
        | 'Read' >> beam.ParDo(_Read(settings.image_size))
        | 'Embed' >> RunInference(FeatureExtractorHandler(settings, weights_digest))
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


class _Read(beam.DoFn):
    """(split, file) -> (split, batch of images)."""

    def __init__(self, size: int) -> None:
        self._size = size

    def process(self, shard: tuple[str, str]) -> Iterator[SplitSet]:
        split, file = shard
        for images in shards.read_batches(file, self._size):
            yield split, images


class _Encode(beam.DoFn):
    """(split, batch of features) -> (split, serialized tf.Example) of each image."""

    def process(self, batch: SplitSet) -> Iterator[tuple[str, bytes]]:
        split, features = batch
        for example in embeddings.encode(features):
            yield split, example
