"""Which model is meant."""

from __future__ import annotations

import pathlib

from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.registry import models
from thawline.pipeline.registry.destinations import LocalPlace
from thawline.pipeline.registry.ledger import PRODUCTION, STAGES
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry

LAST = 'last'
_SHOWN = 5


def find(registry: Registry, wanted: str) -> Model:
    """The model that is meant.

    Args:
        registry: of the project.
        wanted: id of a model, id of a run or its beginning, `production`, `staging`, `last`, or the
            folder of a model that the registry knows.

    Raises:
        NotFound: there is no such model.
        ConfigError: there are several.
    """
    if not registry.models:
        raise NotFound('no model yet; train one with: thawline run')
    if wanted in STAGES:
        return _in_stage(registry, wanted)
    if wanted == LAST:
        return _of_runs(registry, wanted, _runs(registry)[-1:])
    if wanted.isascii() and wanted.isdecimal():
        found = registry.model(models.owner(registry.graph, int(wanted)))
        if found is not None:
            return found
    runs = _runs(registry)
    begun = [wanted] if wanted in runs else [run for run in runs if run.startswith(wanted)]
    if wanted and begun:
        return _of_runs(registry, wanted, begun)
    if wanted and pathlib.Path(wanted).is_dir():
        return _in_folder(registry, pathlib.Path(wanted).resolve())
    raise NotFound(
        f'no model {wanted!r}; {_newest(registry)}; give the id of one, a run or its beginning, '
        f'{", ".join((*STAGES, LAST))}, or the folder of a model'
    )


def _runs(registry: Registry) -> list[str]:
    """Ids of runs that have a model, oldest first."""
    made = (
        m
        for m in registry.graph.of_node(node_names.TRAINER)
        if m.succeeded and 'model' in m.outputs
    )
    return list(dict.fromkeys(one.run for one in made))


def _of_runs(registry: Registry, wanted: str, runs: list[str]) -> Model:
    if len(runs) > 1:
        raise ConfigError(
            f'{len(runs)} runs begin with {wanted!r}: {", ".join(reversed(runs[-_SHOWN:]))}; give '
            'more of one'
        )
    made = [
        m for m in registry.graph.of_node(node_names.TRAINER) if m.succeeded and m.run == runs[0]
    ]
    output = registry.graph.output(made[-1], 'model')
    found = registry.model(output.id) if output else None
    if found is None:
        raise NotFound(f'the metadata do not say who trained the model of run {runs[0]}')
    return found


def _in_stage(registry: Registry, stage: str) -> Model:
    place, owners = registry.places[stage], registry.owners(stage)
    there = place.versions()
    if not there:
        more = ' (thawline promote puts one there)' if stage == PRODUCTION else ''
        raise NotFound(f'no model is in {stage}: {place.name} has no version{more}')
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
    for stage, place in registry.places.items():
        known = registry.owners(stage)
        mine = isinstance(place, LocalPlace) and folder.parent == place.folder.resolve()
        if mine and folder.name.isdecimal() and int(folder.name) in known:
            found = registry.model(known[int(folder.name)])
            if found is not None:
                return found
    raise NotFound(f'{folder} is no model that the registry knows; {_newest(registry)}')


def _newest(registry: Registry) -> str:
    newest = ', '.join(str(one.id) for one in reversed(registry.models[-_SHOWN:]))
    return f'the newest are: {newest}'
