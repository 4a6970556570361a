"""Finds the model or the SavedModel that an argument names."""

from __future__ import annotations

import pathlib

from thawline.components.ingestion import storage
from thawline.components.pusher.local_destination import local_versions
from thawline.components.shared import node_names, version_folders
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.components.shared.model_fingerprint import MARKER
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import models
from thawline.pipeline.registry import registry as registry_lib
from thawline.pipeline.registry.ledger import PRODUCTION, STAGES, STAGING
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry

LAST = 'last'
_SHOWN = 5
_HINTS = {
    PRODUCTION: 'promote one with thawline promote, or choose --model staging',
    STAGING: 'train one with thawline run',
}


def find_model(registry: Registry, name: str) -> Model:
    """The model that an argument names.

    Args:
        registry: of the project.
        name: a model id, a run id or the start of one, `production`, `staging`, `last`, or the
            folder of a model in the registry.

    Raises:
        NotFound: there is no such model.
        ConfigError: several runs match.
    """
    if not registry.models:
        raise NotFound('no model yet; train one with: thawline run')
    if name in STAGES:
        return _in_stage(registry, name)
    if name == LAST:
        return _of_runs(registry, name, _runs(registry)[-1:])
    if name.isascii() and name.isdecimal():
        model = registry.model(models.source_model(registry.lineage, int(name)))
        if model is not None:
            return model
    runs = _runs(registry)
    matches = [name] if name in runs else [run for run in runs if run.startswith(name)]
    if name and matches:
        return _of_runs(registry, name, matches)
    if name and pathlib.Path(name).is_dir():
        return _in_folder(registry, pathlib.Path(name).resolve())
    raise NotFound(
        f'no model {name!r}; {_newest(registry)}; give a model id, a run id or the start of one, '
        f'{", ".join((*STAGES, LAST))}, or the folder of a model'
    )


def _runs(registry: Registry) -> list[str]:
    """Ids of runs that have a model, oldest first."""
    trainings = (
        execution
        for execution in registry.lineage.of_node(node_names.TRAINER)
        if execution.succeeded and 'model' in execution.outputs
    )
    return list(dict.fromkeys(training.run for training in trainings))


def _of_runs(registry: Registry, name: str, runs: list[str]) -> Model:
    if len(runs) > 1:
        raise ConfigError(
            f'{len(runs)} runs begin with {name!r}: {", ".join(reversed(runs[-_SHOWN:]))}; give '
            'more of the id'
        )
    trainings = [
        execution
        for execution in registry.lineage.of_node(node_names.TRAINER)
        if execution.succeeded and execution.run == runs[0]
    ]
    output = registry.lineage.output(trainings[-1], 'model')
    model = registry.model(output.id) if output else None
    if model is None:
        raise NotFound(f'the metadata does not record the training of the model of run {runs[0]}')
    return model


def _in_stage(registry: Registry, stage: str) -> Model:
    place, owners = registry.destinations[stage], registry.owners(stage)
    versions = place.versions()
    if not versions:
        more = '; promote one with: thawline promote' if stage == PRODUCTION else ''
        raise NotFound(f'no model is in {stage}: {place.name} has no versions{more}')
    model = registry.model(owners.get(versions[-1], 0))
    if model is None:
        raise NotFound(
            f'version {versions[-1]} in {place.name} is not known to the registry; '
            f'{_newest(registry)}'
        )
    return model


def _in_folder(registry: Registry, folder: pathlib.Path) -> Model:
    for model in registry.models:
        uris = [model.uri, *([model.exported.uri] if model.exported else [])]
        if folder in {path.resolve() for path in (*model.folders, *map(pathlib.Path, uris))}:
            return model
    if place := registry.stage_version(folder):
        stage, version = place
        served = registry.model(registry.owners(stage).get(version, 0))
        if served is not None:
            return served
    raise NotFound(f'{folder} is not a model in the registry; {_newest(registry)}')


def _newest(registry: Registry) -> str:
    newest = ', '.join(str(model.id) for model in reversed(registry.models[-_SHOWN:]))
    return f'the newest are: {newest}'


def find_saved_model(project: Project, name: str) -> pathlib.Path:
    """The SavedModel that an argument names.

    Args:
        project: whose models.
        name: its folder, or what `find_model` takes. A stage is its highest version, also one
            that the registry does not know.

    Raises:
        NotFound: there is no such model.
        ConfigError: it is not on this machine.
    """
    folder = pathlib.Path(name).expanduser()
    if version_folders.is_model(folder):
        return folder.resolve()
    if name in STAGES:
        return _newest_version(project.stages[name], name)
    if '/' in name or folder.is_dir():
        raise NotFound(f'--model: there is no SavedModel in {folder}: {MARKER} is missing')
    model = find_model(registry_lib.read(project), name)
    if model.folder is None:
        raise NotFound(f'--model {name}: {model.folders[0]} was deleted; choose another model')
    return model.folder


def _newest_version(place: str, stage: str) -> pathlib.Path:
    """The highest version of a stage."""
    if storage.is_remote(place):
        raise ConfigError(
            f'--model {stage} is at {place}; copy a version to this machine and give its folder'
        )
    versions = local_versions(pathlib.Path(place))
    if not versions:
        raise NotFound(f'--model {stage}: no model in {place}; {_HINTS[stage]}')
    return pathlib.Path(place, str(versions[-1]))
