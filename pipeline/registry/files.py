"""The files of the model that is meant, for commands that run one."""

from __future__ import annotations

import pathlib

from thawline.components.ingestion import storage
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import lookup, registry, version_folders
from thawline.pipeline.registry.destinations import local_versions
from thawline.pipeline.registry.ledger import PRODUCTION, STAGES, STAGING
from thawline.pipeline.registry.model_files import MARKER

_HOW = {
    PRODUCTION: 'promote one with thawline promote, or name another with --model staging',
    STAGING: 'make one with thawline run',
}


def saved_model(project: Project, wanted: str) -> pathlib.Path:
    """The SavedModel that is meant.

    Args:
        project: whose models.
        wanted: its folder, or what `naming.find` takes. A stage is its highest version, whoever
            put it there.

    Raises:
        NotFound: there is no such model.
        ConfigError: it is not on this machine.
    """
    folder = pathlib.Path(wanted).expanduser()
    if version_folders.is_model(folder):
        return folder.resolve()
    if wanted in STAGES:
        return _newest(project.stages[wanted], wanted)
    if '/' in wanted or folder.is_dir():
        raise NotFound(f'--model: there is no SavedModel in {folder}: it has no {MARKER}')
    found = lookup.find(registry.read(project), wanted)
    if found.folder is None:
        raise NotFound(f'--model {wanted}: {found.folders[0]} was deleted; name another model')
    return found.folder


def _newest(place: str, stage: str) -> pathlib.Path:
    """The highest version of a stage."""
    if storage.is_remote(place):
        raise ConfigError(
            f'--model {stage} is at {place}; copy a version to this machine and name its folder'
        )
    there = local_versions(pathlib.Path(place))
    if not there:
        raise NotFound(f'--model {stage}: no model in {place}; {_HOW[stage]}')
    return pathlib.Path(place, str(there[-1]))
