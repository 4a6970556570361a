"""Finds and removes old versions from the places that serve them.

The artifacts of runs stay, so whatever was in production can be served again.
"""

from __future__ import annotations

import dataclasses
import pathlib
import secrets
from collections.abc import Sequence

from thawline.components.shared import model_fingerprint
from thawline.components.shared.model_fingerprint import MARKER, LocalFiles
from thawline.pipeline.registry import ledger, lock
from thawline.pipeline.registry.ledger import Prune
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
    versions = place.versions()
    newest = set(versions[-max(keep, 1) :])
    served = registry.current(stage)
    old, kept = [], []
    for version in (number for number in versions if number not in newest):
        if served is not None and version == served.version:
            kept.append(f'version {version} is in {stage} according to the registry')
        elif version not in owners:
            if unknown:
                old.append(version)
            else:
                kept.append(
                    f'version {version} is not known to the registry (--unknown removes it)'
                )
        elif not _elsewhere(registry, stage, version):
            kept.append(f'version {version} is the last copy of model {owners[version]}')
        else:
            old.append(version)
    sizes = [_size(registry, stage, version) for version in old]
    return PruneCandidates(stage, tuple(old), sum(sizes), tuple(kept))


def _elsewhere(registry: Registry, stage: str, version: int) -> bool:
    """Whether an artifact still has the files of a version."""
    model = registry.model(registry.owners(stage)[version])
    if model is None:
        return False
    destination = registry.destinations[stage].name
    sources = {
        deployment.source
        for deployment in registry.deployments
        if (deployment.destination, deployment.version) == (destination, version)
    }
    folders = sources or {str(path) for path in model.folders}
    return any(pathlib.Path(folder, MARKER).is_file() for folder in folders)


def _size(registry: Registry, stage: str, version: int) -> int:
    destination = registry.destinations[stage].name
    sizes = [
        deployment.size
        for deployment in registry.deployments
        if (deployment.destination, deployment.version) == (destination, version)
    ]
    if sizes:
        return sizes[-1]
    source = registry.destinations[stage].source(version)
    if isinstance(source, LocalFiles):
        return sum((source.path / name).stat().st_size for name in source.files())
    return model_fingerprint.fingerprint(source).size


def prune(registry: Registry, candidates: PruneCandidates) -> Prune:
    """Removes versions; the caller holds the lock.

    Raises:
        UserError: one cannot be removed; those before it were, and are recorded.
    """
    place = registry.destinations[candidates.stage]
    intent = Prune(
        stage=candidates.stage,
        destination=place.name,
        who=lock.current_user(),
        versions=candidates.versions,
        removed=(),
        hidden=secrets.token_hex(4),
    )
    id_ = ledger.begin(registry.store, intent, registry.pipeline)
    intent = dataclasses.replace(intent, id=id_)
    try:
        for version in candidates.versions:
            place.remove(version, intent.hidden)
    finally:
        removed = _gone(candidates.versions, set(place.versions()))
        for version in removed:
            place.sweep(version, intent.hidden)
        ledger.complete_prune(registry.store, intent, removed)
    return dataclasses.replace(intent, removed=tuple(removed), state='complete')


def _gone(versions: Sequence[int], present: set[int]) -> list[int]:
    return [version for version in versions if version not in present]
