"""Finds images that were ingested before, so that they need not be read and decoded again."""

from __future__ import annotations

import pathlib

from thawline.components.ingestion import cache_key, sources
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.stores import opening

_INGESTION = 'thawline.components.ingestion.component.ImageExampleGen'  # its type in the metadata


def train_split(project: Project) -> pathlib.Path | None:
    """The train split as last ingested from these very images with these settings, or None.

    The execution's parameters are compared as TFX's cache would, without TFX's start-up time.

    Raises:
        ConfigError, DataError: the source cannot be listed.
    """
    store = opening.to_read(project)
    if store is None:
        return None
    spec, data = project.source_spec(), project.config.data
    parameters = cache_key.parameters(
        spec, data.split.fractions, data.split.seed, data.max_side, data.max_pixels
    )
    fingerprint = sources.list_source(spec).fingerprint
    wanted = cache_key.execution_properties(parameters, fingerprint)
    mine = store.get_context_by_type_and_name('pipeline', project.name)
    kinds = {kind.id for kind in store.get_execution_types() if kind.name == _INGESTION}
    executions = (
        one
        for one in (store.get_executions_by_context(mine.id) if mine else ())
        if one.type_id in kinds
    )
    for execution in sorted(executions, key=lambda e: e.id, reverse=True):
        noted = {
            name: getattr(value, value.WhichOneof('value') or 'string_value')
            for name, value in execution.custom_properties.items()
        }
        state = runs.STATES.get(execution.last_known_state)
        if state not in runs.GOOD_STATES or not wanted.items() <= noted.items():
            continue
        events = store.get_events_by_execution_ids([execution.id])
        ids = [event.artifact_id for event in events if event.path.steps[0].key == 'examples']
        for artifact in store.get_artifacts_by_id(ids):
            folder = pathlib.Path(artifact.uri) / 'Split-train'
            if any(folder.glob('*.gz')):  # and nobody has cleared it away
                return folder
    return None
