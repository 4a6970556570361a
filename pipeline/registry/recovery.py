"""Completes or undoes interrupted changes, with a line on each."""

from __future__ import annotations

from thawline.components.shared import model_fingerprint
from thawline.pipeline.registry import destinations, ledger
from thawline.pipeline.registry.ledger import Deployment, Prune
from thawline.pipeline.registry.registry import Registry


def recover(registry: Registry) -> list[str]:
    """Completes or undoes every unfinished execution of the ledger; the caller holds the lock.

    The lock was free, so the processes that wrote them have ended. A version that is in place with
    the right digest is complete: it was verified before. Everything else is undone.

    Returns:
        A line for each; after any, the registry has to be read again.

    Raises:
        UserError: a destination cannot be reached.
    """
    return [
        _recover_deployment(registry, change)
        if isinstance(change, Deployment)
        else _recover_prune(registry, change)
        for change in registry.unfinished
    ]


def _recover_deployment(registry: Registry, deployment: Deployment) -> str:
    place = destinations.destination_at(deployment.destination)
    version = deployment.version
    what = (
        f'the {ledger.noun(deployment)} of model {deployment.model} to {deployment.stage} as '
        f'version {version}'
    )
    in_place = version in place.versions()
    digest = model_fingerprint.fingerprint(place.source(version)).digest if in_place else ''
    if in_place and digest == deployment.digest:
        uri = ledger.version_uri(deployment.destination, version)
        ledger.complete(registry.store, deployment, uri)
        return f'recovered: {what} was interrupted after the version was in place; it is complete'
    place.discard(version, deployment.incoming)
    ledger.cancel(registry.store, deployment.id)
    line = f'recovered: {what} was interrupted before the version was in place; it was undone'
    if in_place:
        line += f'; version {version} in {deployment.destination} holds other files'
    return line


def _recover_prune(registry: Registry, prune: Prune) -> str:
    place = destinations.destination_at(prune.destination)
    versions = set(place.versions())
    removed = [version for version in prune.versions if version not in versions]
    for version in removed:
        place.sweep(version, prune.hidden)
    ledger.complete_prune(registry.store, prune, removed)
    return (
        f'recovered: the prune of {prune.stage} was interrupted after {len(removed)} of '
        f'{len(prune.versions)} versions; the others remain'
    )
