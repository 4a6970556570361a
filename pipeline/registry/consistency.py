"""Whether the ledger and the folders say the same; where not, what a person should know."""

from __future__ import annotations

from thawline.components.shared.errors import UserError
from thawline.pipeline.registry import ledger
from thawline.pipeline.registry.ledger import STAGING
from thawline.pipeline.registry.registry import Registry


def inconsistencies(registry: Registry) -> list[str]:
    """A line for each version that one of the two knows and the other does not."""
    found = [line for stage in registry.destinations for line in _of_stage(registry, stage)]
    found += [
        f'a {getattr(one, "action", "prune")} of {one.stage} is under way or was killed'
        for one in registry.unfinished
    ]
    return found


def versions(registry: Registry, stage: str) -> list[int]:
    """What lies in a stage, lowest first; nothing where it cannot be reached."""
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
        f'version {version} of {stage} (model {owners.get(version, "?")}) is gone from {place.name}'
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
    return [*lines, f'servers take version {there[-1]} in {place.name}, not {served.version}']
