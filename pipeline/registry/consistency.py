"""Where the ledger and the folders disagree."""

from __future__ import annotations

from thawline.components.shared.errors import UserError
from thawline.pipeline.registry import ledger
from thawline.pipeline.registry.ledger import STAGING
from thawline.pipeline.registry.registry import Registry


def inconsistencies(registry: Registry) -> list[str]:
    """A line for each version that only one of the two has, and for each unfinished change."""
    lines = [line for stage in registry.destinations for line in _of_stage(registry, stage)]
    lines += [
        f'{change.stage}: a {ledger.noun(change)} is in progress or was interrupted'
        for change in registry.unfinished
    ]
    return lines


def versions(registry: Registry, stage: str) -> list[int]:
    """Versions in a stage, lowest first; none where it cannot be reached."""
    try:
        return registry.destinations[stage].versions()
    except UserError:
        return []


def _of_stage(registry: Registry, stage: str) -> list[str]:
    place, owners = registry.destinations[stage], registry.owners(stage)
    try:
        present = place.versions()
    except UserError as error:
        return [str(error)]
    live = ledger.live_versions(registry.store, place.name)
    recorded = {artifact.properties['version'].int_value for artifact in live}
    lines = [
        f'version {version} of {stage} (model {owners.get(version, "?")}) is missing from '
        f'{place.name}'
        for version in sorted(recorded - set(present))
    ]
    lines += [
        f'version {version} in {place.name} is not known to the registry'
        for version in present
        if version not in owners
    ]
    served = registry.current(stage)
    if stage == STAGING or served is None or not present or present[-1] == served.version:
        return lines
    return [
        *lines,
        f'servers load version {present[-1]} from {place.name}; the registry has version '
        f'{served.version} in {stage}',
    ]
