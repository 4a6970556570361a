"""Artifact type of the Embedder."""

from __future__ import annotations

from tfx.types import artifact, standard_artifacts


class Embeddings(artifact.Artifact):
    """Features of every image; `components.embedding.embeddings` says in which files.

    Properties:
        split_names: JSON list, as in Examples.
        backbone: name of the base in the registry.
        dimension: D, features of a view.
        views: augmented views of each train image, in addition to the plain one.
        count: images of all splits.
        seconds: wall-clock time of the base, without building it.
    """

    TYPE_NAME = 'Embeddings'
    PROPERTIES = {
        'split_names': standard_artifacts.SPLIT_NAMES_PROPERTY,
        'backbone': artifact.Property(type=artifact.PropertyType.STRING),
        'dimension': artifact.Property(type=artifact.PropertyType.INT),
        'views': artifact.Property(type=artifact.PropertyType.INT),
        'count': artifact.Property(type=artifact.PropertyType.INT),
        'seconds': artifact.Property(type=artifact.PropertyType.FLOAT),
    }
