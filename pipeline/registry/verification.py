"""Reads the files of models again, wherever they are, and compares them with what was recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

from thawline.components.shared import model_fingerprint
from thawline.components.shared.model_fingerprint import LocalFiles, ModelFiles
from thawline.pipeline.registry import integrity, lookup, models
from thawline.pipeline.registry.integrity import FileRecord
from thawline.pipeline.registry.ledger import STAGES
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry

State = Literal['intact', 'changed', 'missing', 'no record']


@dataclasses.dataclass(frozen=True)
class VerifiedFolder:
    """One folder of a model.

    Attributes:
        model: id of its model; None where nothing says which.
        form: 'trained', 'exported', or the stage and the version: 'production 3'.
        folder: path or URL.
        state: of its files; without a record nothing can be said.
        changes: how they differ.
        way_out: what helps.
    """

    model: int | None
    form: str
    folder: str
    state: State
    changes: str = ''
    way_out: str = ''

    @property
    def failed(self) -> bool:
        """Whether its files are not those that were recorded."""
        return self.state in ('changed', 'missing')


def verify(registry: Registry, name: str | None = None) -> Iterator[VerifiedFolder]:
    """Verifies all models and stages, one stage, or one model wherever it is.

    Args:
        registry: of the project.
        name: a stage, or as `lookup.find_model` takes one; None for all.

    Raises:
        UserError: there is no such model, or a folder cannot be read.
    """
    if name in STAGES:
        yield from _of_stage(registry, name)
        return
    model = None if name is None else lookup.find_model(registry, name)
    for each in registry.models if model is None else (model,):
        yield from _of_model(registry, each)
    for stage in STAGES:
        yield from _of_stage(registry, stage, model)


def _of_model(registry: Registry, model: Model) -> Iterator[VerifiedFolder]:
    forms = [('trained', model.uri, integrity.of_trained(model))]
    if model.exported:
        forms.append(('exported', model.exported.uri, integrity.of_exported(model)))
    for form, uri, record in forms:
        yield _verified(registry, model.id, form, LocalFiles(models.saved_model(uri)), record)


def _of_stage(
    registry: Registry, stage: str, model: Model | None = None
) -> Iterator[VerifiedFolder]:
    """The versions that are there, and the one that servers should find, of one model or of all.

    Of older ones that are gone nothing depends: a rollback copies, and promotes, anew.
    """
    place, owners = registry.destinations[stage], registry.owners(stage)
    pruned = {
        version
        for prune in registry.prunes
        if (prune.stage, prune.destination) == (stage, place.name)
        for version in prune.removed
    }
    present, newest = place.versions(), max(owners.keys() - pruned, default=0)
    highest = max(present, default=0)
    for version in sorted({*present, *filter(None, [newest])}):
        owner = owners.get(version)
        if model is None or owner == model.id:
            record = integrity.of_version(registry, stage, version)
            source = place.source(version)
            folder = _verified(registry, owner, f'{stage} {version}', source, record)
            if folder.failed and version < highest:
                way_out = f'servers load version {highest}; old ones go with: thawline prune'
                folder = dataclasses.replace(folder, way_out=way_out)
            yield folder


def _verified(
    registry: Registry, model: int | None, form: str, source: ModelFiles, record: FileRecord | None
) -> VerifiedFolder:
    present = model_fingerprint.read(source)
    changes = record.changes(present) if record else ''
    way_out = record.way_out if record else 'train or promote another model'
    if not present.files:
        return VerifiedFolder(model, form, source.name, 'missing', way_out=way_out)
    if changes:
        return VerifiedFolder(model, form, source.name, 'changed', changes, way_out)
    if record or integrity.is_known(registry, present.digest):
        return VerifiedFolder(model, form, source.name, 'intact')
    return VerifiedFolder(model, form, source.name, 'no record')
