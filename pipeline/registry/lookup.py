"""Finds the model or the SavedModel that an argument names."""

from __future__ import annotations

import pathlib

from thawline.components.ingestion import storage
from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import models, version_folders
from thawline.pipeline.registry import registry as registry_lib
from thawline.pipeline.registry.destinations import LocalDestination, local_versions
from thawline.pipeline.registry.ledger import PRODUCTION, STAGES, STAGING
from thawline.pipeline.registry.model_fingerprint import MARKER
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry

LAST = 'last'
_SHOWN = 5
_HINTS = {
    PRODUCTION: 'promote one with thawline promote, or choose --model staging',
    STAGING: 'train one with thawline run',
}


def find_model(registry: Registry, wanted: str) -> Model:
    """The model that an argument names.

    Args:
        registry: of the project.
        wanted: a model id, a run id or the start of one, `production`, `staging`, `last`, or the
            folder of a model in the registry.

    Raises:
        NotFound: there is no such model.
        ConfigError: several runs match.
    """
    if not registry.models:
        raise NotFound('no model yet; train one with: thawline run')
    if wanted in STAGES:
        return _in_stage(registry, wanted)
    if wanted == LAST:
        return _of_runs(registry, wanted, _runs(registry)[-1:])
    if wanted.isascii() and wanted.isdecimal():
        found = registry.model(models.source_model(registry.lineage, int(wanted)))
        if found is not None:
            return found
    runs = _runs(registry)
    begun = [wanted] if wanted in runs else [run for run in runs if run.startswith(wanted)]
    if wanted and begun:
        return _of_runs(registry, wanted, begun)
    if wanted and pathlib.Path(wanted).is_dir():
        return _in_folder(registry, pathlib.Path(wanted).resolve())
    raise NotFound(
        f'no model {wanted!r}; {_newest(registry)}; give a model id, a run id or the start of one, '
        f'{", ".join((*STAGES, LAST))}, or the folder of a model'
    )


def _runs(registry: Registry) -> list[str]:
    """Ids of runs that have a model, oldest first."""
    made = (
        m
        for m in registry.lineage.of_node(node_names.TRAINER)
        if m.succeeded and 'model' in m.outputs
    )
    return list(dict.fromkeys(one.run for one in made))


def _of_runs(registry: Registry, wanted: str, runs: list[str]) -> Model:
    if len(runs) > 1:
        raise ConfigError(
            f'{len(runs)} runs begin with {wanted!r}: {", ".join(reversed(runs[-_SHOWN:]))}; give '
            'more of the id'
        )
    made = [
        m for m in registry.lineage.of_node(node_names.TRAINER) if m.succeeded and m.run == runs[0]
    ]
    output = registry.lineage.output(made[-1], 'model')
    found = registry.model(output.id) if output else None
    if found is None:
        raise NotFound(f'the metadata does not record the training of the model of run {runs[0]}')
    return found


def _in_stage(registry: Registry, stage: str) -> Model:
    place, owners = registry.destinations[stage], registry.owners(stage)
    there = place.versions()
    if not there:
        more = '; promote one with: thawline promote' if stage == PRODUCTION else ''
        raise NotFound(f'no model is in {stage}: {place.name} has no versions{more}')
    found = registry.model(owners.get(there[-1], 0))
    if found is None:
        raise NotFound(
            f'version {there[-1]} in {place.name} is not known to the registry; {_newest(registry)}'
        )
    return found


def _in_folder(registry: Registry, folder: pathlib.Path) -> Model:
    for one in registry.models:
        uris = [one.uri, *([one.exported.uri] if one.exported else [])]
        if folder in {path.resolve() for path in (*one.folders, *map(pathlib.Path, uris))}:
            return one
    for stage, place in registry.destinations.items():
        known = registry.owners(stage)
        mine = isinstance(place, LocalDestination) and folder.parent == place.folder.resolve()
        if mine and folder.name.isdecimal() and int(folder.name) in known:
            found = registry.model(known[int(folder.name)])
            if found is not None:
                return found
    raise NotFound(f'{folder} is not a model in the registry; {_newest(registry)}')


def _newest(registry: Registry) -> str:
    newest = ', '.join(str(one.id) for one in reversed(registry.models[-_SHOWN:]))
    return f'the newest are: {newest}'


def find_saved_model(project: Project, wanted: str) -> pathlib.Path:
    """The SavedModel that an argument names.

    Args:
        project: whose models.
        wanted: its folder, or what `find_model` takes. A stage is its highest version, also one
            that the registry does not know.

    Raises:
        NotFound: there is no such model.
        ConfigError: it is not on this machine.
    """
    folder = pathlib.Path(wanted).expanduser()
    if version_folders.is_model(folder):
        return folder.resolve()
    if wanted in STAGES:
        return _newest_version(project.stages[wanted], wanted)
    if '/' in wanted or folder.is_dir():
        raise NotFound(f'--model: there is no SavedModel in {folder}: {MARKER} is missing')
    found = find_model(registry_lib.read(project), wanted)
    if found.folder is None:
        raise NotFound(f'--model {wanted}: {found.folders[0]} was deleted; choose another model')
    return found.folder


def _newest_version(place: str, stage: str) -> pathlib.Path:
    """The highest version of a stage."""
    if storage.is_remote(place):
        raise ConfigError(
            f'--model {stage} is at {place}; copy a version to this machine and give its folder'
        )
    there = local_versions(pathlib.Path(place))
    if not there:
        raise NotFound(f'--model {stage}: no model in {place}; {_HINTS[stage]}')
    return pathlib.Path(place, str(there[-1]))
