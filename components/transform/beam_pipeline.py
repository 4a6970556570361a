"""The Beam pipeline of Transform: shards of examples in, shards of pixels and class indices out.

TFX's own does the same with the whole graph for each image. Here the graph computes pixels, a
function of the encoded image alone, and only where the content store does not have them; labels
come from the function of which the graph is made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.utils import shared

from thawline.components.shared import example_encoding, progress, tf_data
from thawline.components.shared.content_store import Namespace, Records
from thawline.components.shared.gzipped_records import WriteGzippedRecords
from thawline.components.shared.store_shards import key_of
from thawline.components.shared.stored_fn import StoredFn
from thawline.components.transform import examples, preprocessing

PREFIX = 'transformed_examples'
_IMAGE = 'image'


def transform(
    root: beam.Pipeline,
    files: Mapping[str, Sequence[str]],
    graph: str,
    folders: Mapping[str, str],
    namespace: Namespace | None = None,
) -> None:
    """Adds the pipeline.

    Args:
        root: to add to.
        files: gzipped TFRecord files of the examples of each split.
        graph: folder of the transform graph.
        folders: of the transformed examples of each split.
        namespace: of the store.
    """
    splits = (
        root
        | 'Shards' >> beam.Create([(split, file) for split in files for file in files[split]])
        | 'Share out' >> beam.Reshuffle()  # otherwise one worker would get all of them
        | 'Transform' >> beam.ParDo(_Transform(graph, namespace)).with_outputs(*files)
    )
    for split, folder in folders.items():
        splits[split] | f'Write {split}' >> WriteGzippedRecords(os.path.join(folder, PREFIX))


class TransformGraph:
    """The transform graph, for pixels and labels apart."""

    def __init__(self, folder: str) -> None:
        """Loads it."""
        output = tft.TFTransformOutput(folder)
        self._layer = output.transform_features_layer()
        spec = output.raw_feature_spec()
        self._image = {_IMAGE: spec.pop(_IMAGE)}
        self._others = spec
        self._classes = tf.constant(preprocessing.class_names(output))
        strings = [tf.TensorSpec([None], tf.string)]
        self._pixels = tf.function(self._trace_pixels, input_signature=strings, autograph=False)
        self._labels = tf.function(self._trace_labels, input_signature=strings, autograph=False)

    def pixels(self, serialized: np.ndarray) -> np.ndarray:
        """Of examples, bytes [n]: pixels as `preprocessing.pack` has them, bytes [n]."""
        return np.asarray(self._pixels(serialized).numpy())

    def labels(self, serialized: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Of examples, bytes [n]: their encoded images, and all transformed features but pixels."""
        images, features = self._labels(serialized)
        return images.numpy(), {name: value.numpy() for name, value in features.items()}

    def _trace_pixels(self, serialized: tf.Tensor) -> tf.Tensor:
        raw = tf.io.parse_example(serialized, self._image)
        return tf.reshape(self._layer.call(raw)[preprocessing.PIXELS], [-1])

    def _trace_labels(self, serialized: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        image = {_IMAGE: tf.io.FixedLenFeature([], tf.string)}
        images = tf.io.parse_example(serialized, image)[_IMAGE]
        raw = tf.io.parse_example(serialized, self._others)
        return images, preprocessing.label_features(raw, self._classes)


class _Transform(StoredFn):
    """(split, file) -> serialized tf.Examples, to the output of their split."""

    def __init__(self, graph: str, namespace: Namespace | None) -> None:
        super().__init__(namespace)
        self._folder = graph
        self._shared = shared.Shared()

    def setup(self) -> None:
        super().setup()
        self._graph = self._shared.acquire(lambda: TransformGraph(self._folder))

    def process(self, shard: tuple[str, str]) -> Iterator[Any]:
        split, file = shard
        for serialized in tf_data.batches(file, examples.BATCH).as_numpy_iterator():
            images, features = self._graph.labels(serialized)
            features[preprocessing.PIXELS] = _stored_pixels(
                self._graph, serialized, images, self.records
            )
            for example in example_encoding.encode(features):
                yield beam.pvalue.TaggedOutput(split, example)
            progress.advance(len(serialized))


def _stored_pixels(
    graph: TransformGraph, serialized: np.ndarray, images: np.ndarray, records: Records
) -> np.ndarray:
    """Packed pixels of examples, bytes as object [n], from the store or the graph."""
    keys = [key_of(image) for image in images]
    pixels = np.array([records.get(key) for key in keys], object)
    missing = np.array([row for row, packed in enumerate(pixels) if packed is None], int)
    if len(missing):
        pixels[missing] = graph.pixels(serialized[missing])
        for row in missing:
            records.put(keys[row], pixels[row])
    return pixels
