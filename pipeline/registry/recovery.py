"""Completes or undoes interrupted changes, with a line on each."""

from __future__ import annotations

from thawline.pipeline.registry import destinations, ledger, model_fingerprint
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
        _move(registry, one) if isinstance(one, Deployment) else _prune(registry, one)
        for one in registry.unfinished
    ]


def _move(registry: Registry, move: Deployment) -> str:
    place = destinations.destination_at(move.destination)
    what = (
        f'the {ledger.noun(move)} of model {move.model} to {move.stage} as version {move.version}'
    )
    there = move.version in place.versions()
    if there and model_fingerprint.fingerprint(place.source(move.version)).digest == move.digest:
        ledger.complete(registry.store, move, ledger.version_uri(move.destination, move.version))
        return f'recovered: {what} was interrupted after the version was in place; it is complete'
    place.discard(move.version, move.incoming)
    ledger.cancel(registry.store, move.id)
    line = f'recovered: {what} was interrupted before the version was in place; it was undone'
    if there:
        line += f'; version {move.version} in {move.destination} holds other files'
    return line


def _prune(registry: Registry, prune: Prune) -> str:
    place = destinations.destination_at(prune.destination)
    there = set(place.versions())
    gone = [version for version in prune.versions if version not in there]
    for version in gone:
        place.sweep(version, prune.hidden)
    ledger.complete_prune(registry.store, prune, gone)
    return (
        f'recovered: the prune of {prune.stage} was interrupted after {len(gone)} of '
        f'{len(prune.versions)} versions; the others remain'
    )
