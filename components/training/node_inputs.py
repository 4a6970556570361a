"""What the nodes Trainer and Tuner read: classes, embeddings with their base, and images."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow_transform as tft

from thawline.components import backbones
from thawline.components.backbones.params import PretrainedBase
from thawline.components.embedding import embeddings
from thawline.components.shared import image_table, progress
from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import recipe, training_images
from thawline.components.training.validation import ImageRoles
from thawline.components.transform import preprocessing


@dataclasses.dataclass(frozen=True)
class NodeInputs:
    """All but the images, which only the second phase needs.

    Attributes:
        classes: names, in the order of the labels.
        features: of the train and val images.
        backbone: the base of the embeddings.
    """

    classes: tuple[str, ...]
    features: recipe.FeatureSets
    backbone: backbones.Backbone


def read(config: Mapping[str, Any], transform_output: str) -> NodeInputs:
    """Reads the embeddings and builds their base.

    Args:
        config: `model` (JSON of PretrainedBase), `image_size` and `embeddings` (a folder).
        transform_output: the transform graph's folder.

    Raises:
        DataError: the embeddings are damaged, not finite, or of other weights.
    """
    base = PretrainedBase.model_validate_json(config['model'])
    names = preprocessing.class_names(tft.TFTransformOutput(transform_output))
    progress.start('reading embeddings')
    uri = config['embeddings']
    spec = embeddings.read_spec(uri)
    features = recipe.FeatureSets(
        spec.features, embeddings.load(uri, 'train'), embeddings.load(uri, 'val')
    )
    for split, features_of_split in (('train', features.train), ('val', features.val)):
        check_finite(split, features_of_split)
    # Random weights are those of the embeddings only from the same seed.
    keras.utils.set_random_seed(spec.seed)
    backbone = backbones.build(base.backbone, int(config['image_size']), base.weights)
    if backbone.weights_digest != spec.weights_digest:
        raise DataError(
            f'the embeddings at {uri} are of other weights of {spec.backbone}; recreate them '
            'with: thawline run --no-cache'
        )
    classes = tuple(name.decode('utf-8') for name in names)
    return NodeInputs(classes, features, backbone)


def check_finite(split: str, features: LabelledSet) -> None:
    """Refuses features that nothing can be learned from.

    Raises:
        DataError: those of an image that has a class are NaN or infinite.
    """
    finite = np.isfinite(features.values).all(axis=(1, 2))
    bad = features.ids[~finite & (features.labels >= 0)]
    if len(bad):
        raise DataError(
            f'the base returns NaN or infinite features for {len(bad):,} of {len(features):,} '
            f'{split} images, first for image_id {bad[0].decode()}: leave these images out, or '
            'set model.weights to a file that is not damaged or model.backbone to another base'
        )


def read_images(
    train_files: Sequence[str], val_files: Sequence[str], size: int, spool: pathlib.Path
) -> tuple[LabelledSet, LabelledSet]:
    """The train and val images; `spool` is a folder for those that do not fit into memory."""
    return (
        training_images.load(train_files, size, spool / 'train.npy'),
        training_images.load(val_files, size, spool / 'val.npy'),
    )


def read_roles(uri: str) -> ImageRoles:
    """Clusters and folds of the images, from the Examples as ingested at `uri`."""
    table = image_table.read(uri)
    if table is None:
        return ImageRoles()
    ids = [identity.encode() for identity in table['image_id'].to_pylist()]
    clusters = dict(zip(ids, table['cluster'].to_pylist(), strict=True))
    folds = (
        dict(zip(ids, table['fold'].to_pylist(), strict=True))
        if 'fold' in table.column_names
        else {}
    )
    return ImageRoles(
        {identity: name for identity, name in clusters.items() if name is not None},
        {identity: fold for identity, fold in folds.items() if fold is not None},
    )
