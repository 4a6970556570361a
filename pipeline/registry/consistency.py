"""Where the ledger and the folders disagree."""

from __future__ import annotations

from thawline.components.shared.errors import UserError
from thawline.pipeline.registry import ledger
from thawline.pipeline.registry.ledger import STAGING
from thawline.pipeline.registry.registry import Registry


def inconsistencies(registry: Registry) -> list[str]:
    """A line for each version that only one of the two has, and for each unfinished change."""
    found = [line for stage in registry.destinations for line in _of_stage(registry, stage)]
    found += [
        f'{one.stage}: a {ledger.noun(one)} is in progress or was interrupted'
        for one in registry.unfinished
    ]
    return found


def versions(registry: Registry, stage: str) -> list[int]:
    """Versions in a stage, lowest first; none where it cannot be reached."""
    try:
        return registry.destinations[stage].versions()
    except UserError:
        return []


def _of_stage(registry: Registry, stage: str) -> list[str]:
    place, owners = registry.destinations[stage], registry.owners(stage)
    try:
        there = place.versions()
    except UserError as error:
        return [str(error)]
    live = ledger.live_versions(registry.store, place.name)
    recorded = {one.properties['version'].int_value for one in live}
    lines = [
        f'version {version} of {stage} (model {owners.get(version, "?")}) is missing from '
        f'{place.name}'
        for version in sorted(recorded - set(there))
    ]
    lines += [
        f'version {version} in {place.name} is not known to the registry'
        for version in there
        if version not in owners
    ]
    served = registry.current(stage)
    if stage == STAGING or served is None or not there or there[-1] == served.version:
        return lines
    return [
        *lines,
        f'servers load version {there[-1]} from {place.name}; the registry has version '
        f'{served.version} in {stage}',
    ]
