"""Where the files of an artifact's splits are."""

from __future__ import annotations

import os

import tensorflow as tf
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact


def folders(artifact: Artifact) -> dict[str, str]:
    """The folder of each split."""
    names = artifact_utils.decode_split_names(artifact.split_names)
    return {name: artifact_utils.get_split_uri([artifact], name) for name in names}


def files(artifact: Artifact) -> dict[str, list[str]]:
    """The files of each split, sorted."""
    return {
        name: sorted(tf.io.gfile.glob(os.path.join(folder, '*')))
        for name, folder in folders(artifact).items()
    }
