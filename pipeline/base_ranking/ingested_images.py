"""Finds images that were ingested before, to save reading and decoding them again."""

from __future__ import annotations

import pathlib

from thawline.components.ingestion import cache_key, sources
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.stores import opening

_INGESTION = 'thawline.components.ingestion.component.ImageExampleGen'  # its type in the metadata


def train_split(project: Project) -> pathlib.Path | None:
    """The folder of the train split, if these images were ingested with these settings; else None.

    Compares the parameters of executions as TFX's cache does, without the start-up time of TFX.

    Raises:
        ConfigError, DataError: the source cannot be listed.
    """
    store = opening.find_store(project)
    if store is None:
        return None
    spec, data = project.source_spec(), project.config.data
    parameters = cache_key.parameters(
        spec, data.split.fractions, data.split.seed, data.max_side, data.max_pixels
    )
    fingerprint = sources.list_source(spec).fingerprint
    expected = cache_key.execution_properties(parameters, fingerprint)
    context = store.get_context_by_type_and_name('pipeline', project.name)
    kinds = {kind.id for kind in store.get_execution_types() if kind.name == _INGESTION}
    executions = store.get_executions_by_context(context.id) if context else []
    for execution in sorted(executions, key=lambda execution: -execution.id):
        if execution.type_id not in kinds:
            continue
        recorded = {
            name: getattr(value, value.WhichOneof('value') or 'string_value')
            for name, value in execution.custom_properties.items()
        }
        state = runs.STATES.get(execution.last_known_state)
        if state not in runs.SUCCESS_STATES or not expected.items() <= recorded.items():
            continue
        events = store.get_events_by_execution_ids([execution.id])
        ids = [event.artifact_id for event in events if event.path.steps[0].key == 'examples']
        for artifact in store.get_artifacts_by_id(ids):
            folder = pathlib.Path(artifact.uri) / 'Split-train'
            if any(folder.glob('*.gz')):  # not deleted since
                return folder
    return None
