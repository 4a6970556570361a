"""The Beam pipeline of Transform: shards of examples in, shards of pixels and class indices out.

TFX's own does the same with the whole graph for each image. Here pixels and labels come from the
functions of which that graph is made; pixels, which depend on the encoded image alone, only where
the content store does not have them. So the graph, which was saved, need not be loaded.
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
from thawline.components.shared.store_shards import KEY_BYTES, key_of
from thawline.components.shared.stored_fn import StoredFn
from thawline.components.transform import examples, preprocessing

PREFIX = 'transformed_examples'
RECORD = 'digest, packed pixels'  # in the store
_IMAGE = 'image'


def transform(
    root: beam.Pipeline,
    files: Mapping[str, Sequence[str]],
    graph: str,
    config: dict[str, Any],
    folders: Mapping[str, str],
    namespace: Namespace | None = None,
) -> None:
    """Adds the pipeline.

    Args:
        root: to add to.
        files: gzipped TFRecord files of the examples of each split.
        graph: folder of the transform graph.
        config: of which it was made, as `preprocessing.preprocessing_fn` takes it.
        folders: of the transformed examples of each split.
        namespace: of the store.
    """
    splits = (
        root
        | 'Shards' >> beam.Create([(split, file) for split in files for file in files[split]])
        | 'Share out' >> beam.Reshuffle()  # otherwise one worker would get all of them
        | 'Transform' >> beam.ParDo(_Transform(graph, config, namespace)).with_outputs(*files)
    )
    for split, folder in folders.items():
        splits[split] | f'Write {split}' >> WriteGzippedRecords(os.path.join(folder, PREFIX))


class _Features:
    """The functions of which the transform graph is made, for pixels and labels apart."""

    def __init__(self, folder: str, config: dict[str, Any]) -> None:
        """`folder`: of the graph, which has the classes and the raw features."""
        output = tft.TFTransformOutput(folder)
        self._spec = output.raw_feature_spec()
        del self._spec[_IMAGE]
        self._classes = tf.constant(preprocessing.class_names(output), tf.string)
        self._config = config
        strings = [tf.TensorSpec([None], tf.string)]
        self._pixels = tf.function(self._trace_pixels, input_signature=strings, autograph=False)
        self._labels = tf.function(self._trace_labels, input_signature=strings, autograph=False)

    def pixels(self, images: np.ndarray) -> np.ndarray:
        """Of encoded images, bytes [n]: pixels as `preprocessing.pack` has them, bytes [n]."""
        return np.asarray(self._pixels(images).numpy())

    def labels(self, serialized: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Of examples, bytes [n]: their encoded images, and all transformed features but pixels."""
        images, features = self._labels(serialized)
        return images.numpy(), {name: value.numpy() for name, value in features.items()}

    def _trace_pixels(self, images: tf.Tensor) -> tf.Tensor:
        return preprocessing.packed_pixels(images, self._config)

    def _trace_labels(self, serialized: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        image = {_IMAGE: tf.io.FixedLenFeature([], tf.string)}
        images = tf.io.parse_example(serialized, image)[_IMAGE]
        raw = tf.io.parse_example(serialized, self._spec)
        return images, preprocessing.label_features(raw, self._classes)


class _Transform(StoredFn):
    """(split, file) -> serialized tf.Examples, to the output of their split."""

    def __init__(self, graph: str, config: dict[str, Any], namespace: Namespace | None) -> None:
        super().__init__(namespace)
        self._folder, self._config = graph, config
        self._shared = shared.Shared()

    def setup(self) -> None:
        super().setup()
        self._features = self._shared.acquire(lambda: _Features(self._folder, self._config))

    def process(self, shard: tuple[str, str]) -> Iterator[Any]:
        split, file = shard
        for serialized in tf_data.batches(file, examples.BATCH).as_numpy_iterator():
            images, features = self._features.labels(serialized)
            pixels, digests = _stored_pixels(self._features, images, self.records)
            features[preprocessing.PIXELS] = pixels
            features[preprocessing.PIXELS_DIGEST] = digests
            for example in example_encoding.encode(features):
                yield beam.pvalue.TaggedOutput(split, example)
            progress.advance(len(serialized))


def _stored_pixels(
    features: _Features, images: np.ndarray, records: Records
) -> tuple[np.ndarray, np.ndarray]:
    """Packed pixels of encoded images and their digests, bytes as object [n] each.

    From the store, whose records have the digest first, or computed.
    """
    keys = [key_of(image) for image in images]
    stored = [records.get(key) for key in keys]
    missing = [row for row, record in enumerate(stored) if record is None]
    if missing:
        for row, packed in zip(missing, features.pixels(images[missing]), strict=True):
            stored[row] = record = key_of(packed) + packed
            records.put(keys[row], record)
    present = [record for record in stored if record is not None]
    pixels = np.array([record[KEY_BYTES:] for record in present], object)
    return pixels, np.array([record[:KEY_BYTES] for record in present], object)
