"""Finds images that were ingested before, to save reading and decoding them again."""

from __future__ import annotations

import pathlib

from thawline.components.shared.node_names import IMAGE_EXAMPLE_GEN
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import ingestions, runs
from thawline.pipeline.metadata.stores import opening


def train_split(project: Project) -> pathlib.Path | None:
    """The folder of the train split, if these images were ingested with these settings; else None.

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
            folder = pathlib.Path(examples.uri, 'Split-train')
            if any(folder.glob('*.gz')):  # not deleted since
                return folder
    return None
