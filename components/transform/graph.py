"""Writes the transform graph where nothing has to be analysed for it.

TFX's executor does the same for a `preprocessing_fn` without analyzers, or so it says: it takes the
checks of the image decoder for one, as they may end the graph, and reads all images. Besides, it
traces the graph once more to find that out.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import impl_helper
from tensorflow_transform.tf_metadata import metadata_io, schema_utils

from thawline.components.transform import preprocessing


def write(
    schema: schema_pb2.Schema, config: dict[str, Any], classes: Sequence[str], folder: str
) -> None:
    """Writes the graph, its metadata and the names of the classes.

    Args:
        schema: of the raw examples.
        config: as `preprocessing.preprocessing_fn` takes it, but for the classes.
        classes: their names.
        folder: of the transform graph.
    """
    preprocessing_fn = functools.partial(
        preprocessing.preprocessing_fn,
        custom_config={**config, preprocessing.CLASSES: list(classes)},
    )
    metadata = tft.DatasetMetadata(schema)
    metadata_io.write_metadata(
        metadata, os.path.join(folder, tft.TFTransformOutput.RAW_METADATA_DIR)
    )
    features = schema_utils.schema_as_feature_spec(metadata.schema).feature_spec
    types = impl_helper.get_type_specs_from_feature_specs(features)
    impl_helper.analyze_in_place(preprocessing_fn, False, features, types, folder)
    _write_class_names(classes, folder)


def _write_class_names(names: Sequence[str], folder: str) -> None:
    """Writes the file in which `preprocessing.class_names` finds them, as a vocabulary of TFX's."""
    assets = os.path.join(
        folder, tft.TFTransformOutput.TRANSFORM_FN_DIR, tf.saved_model.ASSETS_DIRECTORY
    )
    tf.io.gfile.makedirs(assets)
    with tf.io.gfile.GFile(os.path.join(assets, preprocessing.CLASSES_FILE), 'w') as file:
        file.write(''.join(f'{name}\n' for name in names))
