"""Finds images that were ingested before, to save reading and decoding them again."""

from __future__ import annotations

import dataclasses
import pathlib

from thawline.components.shared import property_names
from thawline.components.shared.node_names import IMAGE_EXAMPLE_GEN
from thawline.components.shared.splits import TRAIN, VAL
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import ingestions, runs
from thawline.pipeline.metadata.stores import opening


@dataclasses.dataclass(frozen=True)
class IngestedImages:
    """The images that a ranking may look at: of train, or of all folds.

    Attributes:
        splits: folders of gzipped tf.Examples.
        folds: how many they are in; 0 with a plain split, whose val is left out.
    """

    splits: tuple[pathlib.Path, ...]
    folds: int


def find(project: Project) -> IngestedImages | None:
    """The images, if they were ingested with these settings and are still there; else None.

    In folds, every image learns and judges, so all of them count; val of a plain split only judges.

    Raises:
        ConfigError, DataError: the source cannot be listed.
    """
    store = opening.find_store(project)
    if store is None:
        return None
    expected = ingestions.expected_properties(project)
    for run in reversed(runs.read_runs(store, project.name)):
        examples = run.output(IMAGE_EXAMPLE_GEN, 'examples')
        if examples is not None and ingestions.has_properties(store, examples, expected):
            folds = int(examples.properties.get(property_names.FOLDS, 0))
            names = (TRAIN, VAL) if folds else (TRAIN,)
            folders = tuple(pathlib.Path(examples.uri, f'Split-{name}') for name in names)
            if all(any(folder.glob('*.gz')) for folder in folders):  # not deleted since
                return IngestedImages(folders, folds)
    return None
