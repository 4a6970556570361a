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
import tensorflow as tf

from thawline.components.backbones.features import Features
from thawline.components.shared import example_encoding, feature_key, labelled_set, tf_data
from thawline.components.shared.errors import DataError
from thawline.components.shared.feature_key import FeatureKey
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.shared.splits import TRAIN
from thawline.components.transform.preprocessing import IMAGE_ID, LABEL_CONFIDENCE, LABEL_INDEX

EMBEDDING = 'embedding'
SPEC_FILE = 'embeddings.json'
FILE_PREFIX = 'embeddings'
_KEYS = {
    LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64),
    IMAGE_ID: tf.io.FixedLenFeature([], tf.string),
    LABEL_CONFIDENCE: tf.io.FixedLenFeature([], tf.float32, 1.0),
}


@dataclasses.dataclass(frozen=True)
class EmbeddingSettings:
    """All that the features of an image depend on, apart from its pixels and its id.

    Attributes:
        backbone, weights: as `components.backbones.build` takes them.
        image_size: side of the images, in pixels.
        features: 'top' or 'blocks'; see `components.backbones.features`.
        augmentation: name of the policy of the augmented views.
        views: augmented views of each train image, in addition to the plain one.
        seed: of the views, and of the base when its weights are random.
    """

    backbone: str
    weights: str
    image_size: int
    features: Features
    augmentation: str
    views: int
    seed: int

    def rows(self, split: str) -> int:
        """Rows of each image's embedding: the plain image and its views."""
        return 1 + self.views if split == TRAIN else 1


@dataclasses.dataclass(frozen=True)
class Spec(EmbeddingSettings):
    """What made the files, and what is needed to read them.

    Attributes:
        dimension: D.
        counts: images of each split.
        weights_digest: of the weights themselves.
        seconds: wall-clock time of the base, without building it.
        key: of the plain images' features; None in files of older versions.
    """

    dimension: int
    counts: dict[str, int]
    weights_digest: str
    seconds: float
    key: FeatureKey | None = None


def split_folder(uri: str, split: str) -> str:
    """Where a split's files are, as TFX names it."""
    return os.path.join(uri, f'Split-{split}')


def encode(features: LabelledSet) -> list[bytes]:
    """Serialized tf.Examples, one an image."""
    images, width = len(features), int(np.prod(features.values.shape[1:]))
    columns = {
        IMAGE_ID: features.ids,
        LABEL_INDEX: features.labels,
        LABEL_CONFIDENCE: features.confidence,
        EMBEDDING: features.values.reshape(images, width),
    }
    return example_encoding.encode(columns)


def write_spec(uri: str, spec: Spec) -> None:
    """Writes the spec beside the splits."""
    with tf.io.gfile.GFile(os.path.join(uri, SPEC_FILE), 'w') as file:
        file.write(json.dumps(dataclasses.asdict(spec), indent=1))


def read_spec(uri: str) -> Spec:
    """The spec of embeddings at `uri`.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = os.path.join(uri, SPEC_FILE)
    try:
        with tf.io.gfile.GFile(path) as file:
            values = json.loads(file.read())
        return Spec(**values | {'key': feature_key.from_json(values.get('key'))})
    except (tf.errors.OpError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f'{path} does not describe embeddings: {error}') from error


def _files(uri: str, split: str) -> list[str]:
    return sorted(tf.io.gfile.glob(os.path.join(split_folder(uri, split), f'{FILE_PREFIX}-*')))


def _parse(files: list[str], schema: dict[str, tf.io.FixedLenFeature]) -> Iterator[dict]:
    """Batches of features, file by file, so that a damaged one can be named."""
    for file in files:
        parsed = tf_data.batches(
            file, 256, lambda batch: tf.io.parse_example(batch, schema), compression=''
        )
        try:
            yield from parsed.as_numpy_iterator()
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            raise DataError(
                f'{file} is damaged or does not hold embeddings ({error.message.splitlines()[0]}); '
                'recreate it with: thawline run --no-cache'
            ) from error


def count(uri: str, split: str) -> int:
    """Images in a split's files.

    Raises:
        DataError: a file is damaged.
    """
    key = {LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64)}
    return sum(len(batch[LABEL_INDEX]) for batch in _parse(_files(uri, split), key))


def load(uri: str, split: str) -> LabelledSet:
    """One split; its values are float32 [N, V, D], where V is 1 + views for train, else 1.

    Raises:
        DataError: a file is damaged, or images are missing.
    """
    spec = read_spec(uri)
    if split not in spec.counts:
        raise DataError(
            f'{uri} has embeddings of {", ".join(spec.counts)}. Received: split={split!r}'
        )
    files = _files(uri, split)
    keys = [
        (batch[LABEL_INDEX], batch[IMAGE_ID], batch[LABEL_CONFIDENCE])
        for batch in _parse(files, _KEYS)
    ]
    images = sum(len(labels) for labels, *_ in keys)
    if images != spec.counts[split]:
        raise DataError(
            f'{split_folder(uri, split)} holds {images} of {spec.counts[split]} images; '
            'recreate it with: thawline run --no-cache'
        )
    shape = [spec.rows(split), spec.dimension]
    embedding = {EMBEDDING: tf.io.FixedLenFeature(shape, tf.float32)}
    return labelled_set.sort_by_id(
        keys,
        lambda n: np.empty((n, *shape), np.float32),
        (batch[EMBEDDING] for batch in _parse(files, embedding)),
    )
