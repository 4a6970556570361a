"""Finds and removes old versions from the places that serve them.

The artifacts of runs stay, so whatever was in production can be served again.
"""

from __future__ import annotations

import dataclasses
import pathlib
import secrets
from collections.abc import Sequence

from thawline.pipeline.registry import ledger, lock, model_fingerprint
from thawline.pipeline.registry.ledger import Prune
from thawline.pipeline.registry.model_fingerprint import MARKER, LocalFiles
from thawline.pipeline.registry.registry import Registry


@dataclasses.dataclass(frozen=True)
class PruneCandidates:
    """Versions of a stage that may be removed, lowest first.

    Attributes:
        stage: its name.
        versions: their numbers.
        size: bytes of all.
        kept: lines on old versions that stay.
    """

    stage: str
    versions: tuple[int, ...]
    size: int
    kept: tuple[str, ...]


def find_candidates(
    registry: Registry, stage: str, keep: int, unknown: bool = False
) -> PruneCandidates:
    """Versions of a stage beyond the newest `keep`.

    The served version stays, and so does the last copy of a model, which a rollback may need.

    Args:
        registry: of the project.
        stage: its name.
        keep: at least 1.
        unknown: also versions that the registry does not know.
    """
    place, owners = registry.destinations[stage], registry.owners(stage)
    there = place.versions()
    newest = set(there[-max(keep, 1) :])
    served = registry.current(stage)
    going, kept = [], []
    for version in (one for one in there if one not in newest):
        if served is not None and version == served.version:
            kept.append(f'version {version} is in {stage} according to the registry')
        elif version not in owners:
            if unknown:
                going.append(version)
            else:
                kept.append(
                    f'version {version} is not known to the registry (--unknown removes it)'
                )
        elif not _elsewhere(registry, stage, version):
            kept.append(f'version {version} is the last copy of model {owners[version]}')
        else:
            going.append(version)
    sizes = [_size(registry, stage, version) for version in going]
    return PruneCandidates(stage, tuple(going), sum(sizes), tuple(kept))


def _elsewhere(registry: Registry, stage: str, version: int) -> bool:
    """Whether an artifact still has the files of a version."""
    model = registry.model(registry.owners(stage)[version])
    if model is None:
        return False
    where = registry.destinations[stage].name
    sources = {
        m.source for m in registry.deployments if (m.destination, m.version) == (where, version)
    }
    folders = sources or {str(path) for path in model.folders}
    return any(pathlib.Path(folder, MARKER).is_file() for folder in folders)


def _size(registry: Registry, stage: str, version: int) -> int:
    where = registry.destinations[stage].name
    noted = [m.size for m in registry.deployments if (m.destination, m.version) == (where, version)]
    if noted:
        return noted[-1]
    source = registry.destinations[stage].source(version)
    if isinstance(source, LocalFiles):
        return sum((source.path / name).stat().st_size for name in source.files())
    return model_fingerprint.fingerprint(source).size


def prune(registry: Registry, found: PruneCandidates) -> Prune:
    """Removes versions; the caller holds the lock.

    Raises:
        UserError: one cannot be removed; those before it were, and are recorded.
    """
    place = registry.destinations[found.stage]
    intent = Prune(
        stage=found.stage,
        destination=place.name,
        who=lock.current_user(),
        versions=found.versions,
        removed=(),
        hidden=secrets.token_hex(4),
    )
    id_ = ledger.begin(registry.store, intent, registry.pipeline)
    intent = dataclasses.replace(intent, id=id_)
    try:
        for version in found.versions:
            place.remove(version, intent.hidden)
    finally:
        gone = _gone(found.versions, set(place.versions()))
        for version in gone:
            place.sweep(version, intent.hidden)
        ledger.complete_prune(registry.store, intent, gone)
    return dataclasses.replace(intent, removed=tuple(gone), state='complete')


def _gone(versions: Sequence[int], there: set[int]) -> list[int]:
    return [version for version in versions if version not in there]
