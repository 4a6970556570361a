"""The versions of a folder that the metadata know of, whether they are still there or not."""

from __future__ import annotations

import pathlib

import ml_metadata as mlmd

from thawline.components.shared import metadata_store
from thawline.components.shared.property_names import PUSHED_DESTINATION
from thawline.components.shared.version_folders import version_number

# Artifacts that stand for a version: of pushes, and of promotions, whose uri is the version.
_TYPES = ('PushedModel', 'thawline.ServedModel')


def highest(folder: pathlib.Path) -> int:
    """The highest number that a version of a folder ever had; 0 without one or without metadata.

    A number given twice would make the registry take the one model for the other.
    """
    store = metadata_store.lent_store()
    paths = [] if store is None else [path for name in _TYPES for path in _paths(store, name)]
    numbers = (version_number(path.name) or 0 for path in paths if path.parent == folder)
    return max(numbers, default=0)


def _paths(store: mlmd.MetadataStore, type_name: str) -> list[pathlib.PurePath]:
    try:
        artifacts = store.get_artifacts_by_type(type_name)
    except mlmd.errors.NotFoundError:  # none was made yet
        return []
    return [
        pathlib.PurePath(
            artifact.custom_properties[PUSHED_DESTINATION].string_value or artifact.uri
        )
        for artifact in artifacts
    ]
