"""Puts a version into a stage: written down first, copied aside, verified, and then all at once."""

from __future__ import annotations

import dataclasses
import pathlib
import secrets
import tempfile
import time
from collections.abc import Callable

from thawline.components.shared.errors import ConfigError, NotFound, UserError
from thawline.pipeline.registry import ledger, load_test, model_files, person
from thawline.pipeline.registry.destinations import INCOMING, LocalPlace, Place
from thawline.pipeline.registry.ledger import PRODUCTION, STAGING, Move
from thawline.pipeline.registry.model_files import Folder, Source, Tree
from thawline.pipeline.registry.registry import Registry

Tell = Callable[[str, int, int], None]  # what is done, bytes of it, bytes in all


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be served.

    Attributes:
        action, stage, model, reason, forced, restores: as in `ledger.Move`.
        source: the files.
        replaces: what the stage serves as long as this holds; None for nothing.
        digest: that the files must have; empty where any will do.
    """

    action: str
    stage: str
    model: int
    source: Source
    replaces: Move | None
    reason: str = ''
    forced: str = ''
    restores: int = 0
    digest: str = ''


def next_version(registry: Registry, stage: str) -> int:
    """A number above all that the stage has or had; in staging a time, as Pusher gives them."""
    place = registry.places[stage]
    known = [move.version for move in registry.moves if move.destination == place.name]
    known += registry.owners(stage)
    highest = max([0, *place.versions(), *known])
    return max(highest + 1, int(time.time())) if stage == STAGING else highest + 1


def serve(registry: Registry, plan: Plan, tell: Tell) -> Move:
    """Serves a model as the highest version of a stage; the caller holds the lock.

    Args:
        registry: as it is under the lock, with nothing unfinished.
        plan: what to serve.
        tell: hears what is done.

    Raises:
        UserError: something else is served by now than the plan replaces, the files cannot be
            copied or loaded, or are not those of the plan; nothing was changed then.
    """
    _check_unchanged(registry, plan)
    place = registry.places[plan.stage]
    expected = model_files.read(plan.source)
    if plan.digest and expected.digest != plan.digest:
        raise ConfigError(
            f'the files in {plan.source.name} are no longer those that were served (digest '
            f'{expected.digest[:12]}, not {plan.digest[:12]})'
        )
    before = plan.replaces
    move = Move(
        action=plan.action,
        stage=plan.stage,
        destination=place.name,
        version=next_version(registry, plan.stage),
        model=plan.model,
        digest=expected.digest,
        size=expected.size,
        source=plan.source.name,
        incoming='',
        who=person.name(),
        reason=plan.reason,
        forced=plan.forced,
        loaded=load_test.tensorflow(),
        replaced_model=before.model if before else 0,
        replaced_version=before.version if before else 0,
        restores=plan.restores,
    )
    if place.renames:
        incoming = f'{INCOMING}{move.version}-{secrets.token_hex(4)}'
        move = dataclasses.replace(move, incoming=incoming)
    move = dataclasses.replace(move, id=ledger.begin(registry.store, move, registry.pipeline))
    _put(registry, place, move, plan.source, tell)
    ledger.complete(registry.store, move, ledger.place(place.name, move.version))
    return move


def _check_unchanged(registry: Registry, plan: Plan) -> None:
    now = registry.current(plan.stage)
    if (now.id if now else 0) != (plan.replaces.id if plan.replaces else 0):
        assert now is not None, 'what the ledger has once does not go'
        raise ConfigError(
            f'{plan.stage} has changed meanwhile: {now.who} put model {now.model} there as version '
            f'{now.version}; look at it with thawline models, and try again'
        )


def _put(registry: Registry, place: Place, move: Move, source: Source, tell: Tell) -> None:
    """Everything between what was intended and what is there; all or nothing."""
    try:
        if _loaded_before(registry, move):
            _copy(place, move, source, tell)
        else:
            # TensorFlow takes seconds to import, in which the files are copied.
            with load_test.Loader() as loader:
                _copy(place, move, source, tell)
                tell('loading the copy in a process of its own', 0, 0)
                _load(loader, place.prepared(move.version, move.incoming), source)
        place.finish(source, move.version, move.incoming)
    except BaseException:
        if move.version not in place.versions():
            place.discard(move.version, move.incoming)
            ledger.cancel(registry.store, move.id)
        raise


def _copy(place: Place, move: Move, source: Source, tell: Tell) -> None:
    written = place.prepare(source, move.version, move.incoming, _counter(tell, 'copying', move))
    copy = place.prepared(move.version, move.incoming)
    found = model_files.read(copy, _counter(tell, 'verifying', move))
    for one, name in ((written, source.name), (found, copy.name)):
        if one != Tree(move.digest, move.size):
            raise ConfigError(
                f'the files in {name} changed while they were copied (digest {one.digest[:12]}, '
                f'not {move.digest[:12]}); is something else writing there?'
            )


def _counter(tell: Tell, what: str, move: Move) -> model_files.Advance:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        tell(what, done, move.size)

    return advance


def _loaded_before(registry: Registry, move: Move) -> bool:
    """Whether the same TensorFlow has loaded the very same bytes for an earlier move."""
    return any(
        (one.digest, one.loaded, one.state) == (move.digest, move.loaded, 'complete')
        for one in registry.moves
    )


def _load(loader: load_test.Loader, copy: Source, source: Source) -> None:
    """Loads the copy; where that is elsewhere its source, which has the same bytes."""
    here = next((one for one in (copy, source) if isinstance(one, Folder)), None)
    if here is not None:
        loader.load(here.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = LocalPlace(pathlib.Path(folder))
        place.prepare(source, 0, 'model', model_files.silent)
        loader.load(pathlib.Path(folder, 'model'))


def restoration(registry: Registry, stage: str = PRODUCTION) -> tuple[Move, Move]:
    """What a rollback takes away, and what it serves again.

    Raises:
        NotFound: nothing was served before.
    """
    held = registry.stack(stage)
    if not held:
        raise NotFound(
            f'nothing was promoted to {registry.places[stage].name}; begin with: thawline promote'
        )
    if len(held) == 1:
        raise NotFound(
            f'there is nothing to go back to: model {held[0].model} is the first in {stage}'
        )
    return held[-1], held[-2]


def files_of(registry: Registry, move: Move) -> Source:
    """The files that a move served, from wherever they still are.

    Raises:
        NotFound: they are nowhere.
    """
    place = registry.places[move.stage]
    there = set(place.versions())
    served = [
        one.version
        for one in registry.moves
        if one.state == 'complete'
        and one.digest == move.digest
        and one.destination == place.name
        and one.version in there
    ]
    model = registry.model(move.model)
    folders = [pathlib.Path(move.source), *(model.folders if model else ())]
    candidates: list[Source] = [Folder(path) for path in dict.fromkeys(folders)]
    candidates += [place.source(version) for version in reversed(served)]
    for source in candidates:
        try:
            if model_files.read(source).digest == move.digest:
                return source
        except UserError:
            continue  # gone or damaged; the next may be whole
    names = ', '.join(source.name for source in candidates)
    raise NotFound(
        f'the files of model {move.model} that version {move.version} served are nowhere any more; '
        f'looked in {names}'
    )
