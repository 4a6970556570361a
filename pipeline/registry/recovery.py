"""What a kill left unfinished is finished or undone, and told in a line."""

from __future__ import annotations

from thawline.pipeline.registry import destinations, ledger, model_fingerprint
from thawline.pipeline.registry.ledger import Deployment, Prune
from thawline.pipeline.registry.registry import Registry


def recover(registry: Registry) -> list[str]:
    """Ends every unfinished execution of the ledger; the caller holds the lock.

    Whoever wrote it is gone, as the lock is free of it. A version that is in place with the right
    digest counts: it had been verified before it was put there. All else is undone.

    Returns:
        A line for each; the registry has to be read anew where there is one.

    Raises:
        UserError: a place cannot be reached.
    """
    return [
        _move(registry, one) if isinstance(one, Deployment) else _prune(registry, one)
        for one in registry.unfinished
    ]


def _move(registry: Registry, move: Deployment) -> str:
    place = destinations.destination_at(move.destination)
    what = f'a {move.action} of model {move.model} to {move.stage} as version {move.version}'
    there = move.version in place.versions()
    if there and model_fingerprint.fingerprint(place.source(move.version)).digest == move.digest:
        ledger.complete(registry.store, move, ledger.version_uri(move.destination, move.version))
        return f'mended: {what} was stopped when all was in place; it counts'
    place.discard(move.version, move.incoming)
    ledger.cancel(registry.store, move.id)
    line = f'mended: {what} was stopped before it was in place; nothing of it is left'
    if there:
        line += f', and version {move.version} in {move.destination} is of other files'
    return line


def _prune(registry: Registry, prune: Prune) -> str:
    place = destinations.destination_at(prune.destination)
    there = set(place.versions())
    gone = [version for version in prune.versions if version not in there]
    for version in gone:
        place.sweep(version, prune.hidden)
    ledger.complete_prune(registry.store, prune, gone)
    return (
        f'mended: a prune of {prune.stage} was stopped after {len(gone)} of '
        f'{len(prune.versions)} versions; the others are still there'
    )
