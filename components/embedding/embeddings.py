"""The files of the artifact `Embeddings`: how they are written and read.

    <uri>/embeddings.json                      the `Spec`
    <uri>/Split-<split>/embeddings-*-of-*      TFRecord, uncompressed (features do not compress)

One tf.Example an image, in no particular order:

    image_id          bytes  the image's id
    label_index       int64  position in the class list; -1 for a class that training never saw
    label_confidence  float  probability in (0, 1] that the label is right
    embedding         float  [V, D], flattened row by row; row 0 is the plain image, the others its
                             augmented views. V is 1 + views in train and 1 in all other splits
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from thawline.components.backbones.features import Features
from thawline.components.shared import tf_data
from thawline.components.shared.errors import DataError
from thawline.components.transform.preprocessing import IMAGE_ID, LABEL_CONFIDENCE, LABEL_INDEX

EMBEDDING = 'embedding'
SPEC_FILE = 'embeddings.json'
FILE_PREFIX = 'embeddings'
TRAIN = 'train'


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is needed to read the files, and what made them.

    Attributes:
        dimension: D.
        views: augmented views of each train image, beside the plain one.
        counts: images a split.
        backbone, weights, weights_digest: the base; the digest is of the weights themselves.
        image_size: side of the images, in pixels.
        features: 'top' or 'blocks'; see `components.backbones.features`.
        augmentation: name of the policy of the views.
        seed: of the views, and of the base when its weights are random.
        seconds: wall-clock time that the base took, building it excluded.
    """

    dimension: int
    views: int
    counts: dict[str, int]
    backbone: str
    weights: str
    weights_digest: str
    image_size: int
    features: Features
    augmentation: str
    seed: int
    seconds: float

    def rows(self, split: str) -> int:
        """Rows of each image's embedding."""
        return 1 + self.views if split == TRAIN else 1


def split_folder(uri: str, split: str) -> str:
    """Where a split's files are, as TFX names it."""
    return os.path.join(uri, f'Split-{split}')


def encode(
    ids: np.ndarray, labels: np.ndarray, confidence: np.ndarray, features: np.ndarray
) -> list[bytes]:
    """Serialized tf.Examples: bytes, int64 and float32 [n], float32 [n, V, D] -> n of them."""
    n = len(ids)
    each = np.arange(n + 1, dtype=np.int32)
    width = int(np.prod(features.shape[1:]))
    columns = {
        IMAGE_ID: (each, pa.array(list(ids), pa.binary())),
        LABEL_INDEX: (each, pa.array(labels, pa.int64())),
        LABEL_CONFIDENCE: (each, pa.array(confidence, pa.float32())),
        EMBEDDING: (each * width, pa.array(features.reshape(-1), pa.float32())),
    }
    batch = pa.RecordBatch.from_arrays(
        [pa.ListArray.from_arrays(pa.array(at), values) for at, values in columns.values()],
        list(columns),
    )
    return list(RecordBatchToExamplesEncoder().encode(batch))


def write_spec(uri: str, spec: Spec) -> None:
    """Writes the spec beside the splits."""
    with tf.io.gfile.GFile(os.path.join(uri, SPEC_FILE), 'w') as file:
        file.write(json.dumps(dataclasses.asdict(spec), indent=1))


def read_spec(uri: str) -> Spec:
    """The spec of embeddings at `uri`.

    Raises:
        DataError: there is none, or it is not one.
    """
    path = os.path.join(uri, SPEC_FILE)
    try:
        with tf.io.gfile.GFile(path) as file:
            return Spec(**json.loads(file.read()))
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise DataError(f'{path} does not describe embeddings: {error}') from error


def _files(uri: str, split: str) -> list[str]:
    return sorted(tf.io.gfile.glob(os.path.join(split_folder(uri, split), f'{FILE_PREFIX}-*')))


def _parsed(files: list[str], wanted: dict[str, tf.io.FixedLenFeature]) -> Iterator[dict]:
    """Batches of features, file by file, so that a damaged one can be named."""
    for file in files:
        parsed = tf_data.batches(
            file, 256, lambda batch: tf.io.parse_example(batch, wanted), compression=''
        )
        try:
            yield from parsed.as_numpy_iterator()
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise DataError(
                f'{file} is damaged or does not hold embeddings ({error.message.splitlines()[0]}); '
                'make it anew with: thawline run --no-cache'
            ) from error


def count(uri: str, split: str) -> int:
    """Images in a split's files.

    Raises:
        DataError: a file is damaged.
    """
    key = {LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64)}
    return sum(len(batch[LABEL_INDEX]) for batch in _parsed(_files(uri, split), key))


def load(uri: str, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One split, ordered by image id as `components.training.image_set.load` orders it.

    Two passes: the first learns the order, so that the second can write each image to its place
    and the features are in memory once.

    Returns:
        (features: float32 [N, V, D], labels: int64 [N], ids: bytes as object [N], confidence of the
        labels: float32 [N]); V is 1 + views for train, else 1.

    Raises:
        DataError: a file is damaged, or images are missing.
    """
    spec = read_spec(uri)
    if split not in spec.counts:
        raise DataError(
            f'there are embeddings of {", ".join(spec.counts)} at {uri}. Received: split={split!r}'
        )
    files = _files(uri, split)
    scalar = {
        LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64),
        IMAGE_ID: tf.io.FixedLenFeature([], tf.string),
        LABEL_CONFIDENCE: tf.io.FixedLenFeature([], tf.float32, 1.0),
    }
    keys = list(_parsed(files, scalar))
    labels = np.concatenate([np.empty(0, np.int64), *(batch[LABEL_INDEX] for batch in keys)])
    ids = np.concatenate([np.empty(0, object), *(batch[IMAGE_ID] for batch in keys)])
    confidence = np.concatenate([np.empty(0, np.float32), *(b[LABEL_CONFIDENCE] for b in keys)])
    if len(ids) != spec.counts[split]:
        raise DataError(
            f'{split_folder(uri, split)} holds {len(ids)} of {spec.counts[split]} images; make it '
            'anew with: thawline run --no-cache'
        )
    order = np.argsort(ids, kind='stable')
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    shape = [spec.rows(split), spec.dimension]
    features = np.empty((len(ids), *shape), np.float32)
    done = 0
    for batch in _parsed(files, {EMBEDDING: tf.io.FixedLenFeature(shape, tf.float32)}):
        found = batch[EMBEDDING]
        features[place[done : done + len(found)]] = found
        done += len(found)
    return features, labels[order], ids[order], confidence[order]
