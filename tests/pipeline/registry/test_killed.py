"""kill -9 at any moment: registry and folders agree afterwards, or are recovered and say so."""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import pathlib
import random
import time

import pytest

from tests.pipeline.registry import killed, made_models
from tests.pipeline.registry.made_models import Models
from thawline.components.shared import model_fingerprint
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.pipeline.config import loading
from thawline.pipeline.registry import (
    access,
    consistency,
    destinations,
    ledger,
    lock,
    promotion,
)
from thawline.pipeline.registry.ledger import PRODUCTION, PROMOTE
from thawline.pipeline.registry.registry import Registry

SIZE = 10_000_000  # so that copying and verifying take their time
KEEP = 2


@pytest.fixture(scope='module')
def forks():
    """Processes that begin with everything imported, and without TensorFlow."""
    found = multiprocessing.get_context('forkserver')
    found.set_forkserver_preload(['tests.pipeline.registry.killed'])
    return found


def check(registry: Registry, models: Models) -> None:
    """Nothing is unfinished, all that is served is whole, and nothing else lies about."""
    assert consistency.inconsistencies(registry) == []
    names = {path.name for path in models.production.iterdir()}
    assert all(name.isdigit() for name in names), names
    for version, model in registry.owners(PRODUCTION).items():
        if str(version) in names:
            assert model_fingerprint.fingerprint(
                LocalFiles(models.production / str(version))
            ) == source_of(registry.model(model).folder)


@functools.cache
def source_of(folder: pathlib.Path) -> model_fingerprint.Fingerprint:
    """What a model was made with; no test here changes it."""
    return model_fingerprint.fingerprint(LocalFiles(folder))


class Killer:
    """Starts actions and kills them; learns how long they take from those that end before."""

    def __init__(self, forks, models: Models) -> None:
        self.forks, self.models = forks, models
        self.lasts: dict[tuple[str, str], float] = {}

    def action(self, generator: random.Random, ids: list[int]) -> tuple[str, str]:
        """Something that there is to do."""
        registry = self.models.registry()
        kind = generator.choice(('promote', 'promote', 'rollback', 'prune'))
        if kind == 'rollback' and len(registry.stack(PRODUCTION)) > 1:
            return kind, ''
        if kind == 'prune' and len(self.models.versions()) > KEEP:
            return kind, ''
        current = registry.current(PRODUCTION)
        return 'promote', str(generator.choice([i for i in ids if i != current.model]))

    def run(self, kind: str, wanted: str, since: str, share: float) -> bool:
        """Kills after a share of the time that is expected; whether it was at work then.

        Args:
            kind, wanted: see `killed.act`.
            since: STARTED or BEGUN, from when the time is taken.
            share: above 1 it is likely to end by itself; 0 since BEGUN kills it exactly there.
        """
        mine, theirs = self.forks.Pipe()
        given = (str(self.models.home), kind, wanted, theirs)
        process = self.forks.Process(target=killed.act, args=given)
        process.start()
        told = ('', '')
        while told[0] not in (since, killed.ENDED):
            told = self._next(mine, go_on=since == killed.STARTED)
        began = time.monotonic()
        due = began + share * self.lasts.get((kind, since), 60.0)
        if told[0] == killed.BEGUN and share > 0:
            mine.send('go on')
        while told[0] != killed.ENDED and mine.poll(max(due - time.monotonic(), 0)):
            told = self._next(mine)
        process.kill()
        process.join()
        ended = told[0] == killed.ENDED
        assert not told[1], told
        if ended:
            self.lasts[kind, since] = time.monotonic() - began
        return not ended

    @staticmethod
    def _next(mine, go_on: bool = True) -> tuple[str, str]:
        told = mine.recv()
        if told[0] == killed.BEGUN and go_on:
            mine.send('go on')
        return told


@pytest.mark.slow
def test_fifty_kills(forks, models: Models):
    (models.home / 'thawline.yaml').write_text(
        f'name: x\ndata: {{source: images}}\nserving: {{keep: {KEEP}}}\n', 'utf-8'
    )
    ids = [models.add(name, size=SIZE) for name in ('ra', 'rb', 'rc')]
    for id_ in ids:
        models.promote(id_)  # loaded once; from now on TensorFlow is not needed
    killer, generator = Killer(forks, models), random.Random(0)
    for since in (killed.STARTED, killed.BEGUN):
        for kind in ('promote', 'rollback', 'prune'):
            assert not killer.run(kind, str(ids[0]) if kind == 'promote' else '', since, 1.0)
    caught, recoveries, states = 0, 0, []
    begun: set[str] = set()
    # Fifty, and more only where the machine's load made moments differ from what was expected.
    for turn in range(200):
        if turn >= 50 and caught >= 25 and recoveries >= 15:
            break
        since = killed.BEGUN if turn % 4 else killed.STARTED
        kind, wanted = killer.action(generator, ids)
        share = generator.uniform(0, 1.1)
        if kind not in begun:  # each kind once where its intent is there and nothing else
            since, share = killed.BEGUN, 0.0
            begun.add(kind)
        caught += killer.run(kind, wanted, since, share)
        before = models.registry()
        states += [type(one).__name__ for one in before.unfinished]
        if not before.unfinished:
            check(before, models)
        said: list[str] = []
        registry = access.open_to_read(loading.load_project(models.home), said.append)
        assert [line.startswith('recovered: ') for line in said] == [True] * len(before.unfinished)
        recoveries += len(said)
        check(registry, models)
    assert caught >= 25
    assert recoveries >= 15
    assert set(states) == {'Deployment', 'Prune'}
    assert {move.state for move in models.registry().deployments} == {'complete', 'canceled'}


def intent(models: Models, model: int, version: int, destination: str = '') -> ledger.Deployment:
    """A promotion that has been written down, and nothing more."""
    source = LocalFiles(models.source('r1'))
    found = model_fingerprint.fingerprint(source)
    move = ledger.Deployment(
        action=PROMOTE,
        stage=PRODUCTION,
        destination=destination or str(models.production),
        version=version,
        model=model,
        digest=found.digest,
        size=found.size,
        source=source.name,
        incoming='' if destination else f'.incoming-{version}-0',
        who='a@b',
        reason='',
        forced='',
        loaded='TensorFlow 0',
        replaced_model=0,
        replaced_version=0,
        restores=0,
    )
    return dataclasses.replace(move, id=ledger.begin(models.store, move))


@pytest.mark.parametrize('reached', ['begun', 'copied', 'in place'])
def test_where_a_promotion_stopped(models: Models, reached):
    model = models.add('r1')
    move = intent(models, model, 1)
    place, source = (
        destinations.destination_at(str(models.production)),
        LocalFiles(models.source('r1')),
    )
    if reached != 'begun':
        place.prepare(source, 1, move.incoming, model_fingerprint.ignore_progress)
    if reached == 'in place':
        place.finish(source, 1, move.incoming)
    said = models.thawline('models')
    assert f'recovered: the promotion of model {model} to production as version 1' in said.output
    if reached == 'in place':
        assert 'is complete' in said.output
        assert models.registry().current(PRODUCTION).model == model
    else:
        assert 'was undone' in said.output
        assert models.registry().current(PRODUCTION) is None
        assert not models.production.exists() or not list(models.production.iterdir())
    assert 'recovered' not in models.thawline('models').output
    check(models.registry(), models) if models.production.exists() else None


def test_a_folder_of_others_in_the_way_is_left(models: Models):
    move = intent(models, models.add('r1'), 1)
    made_models.copy_of(models.template, models.production / '1', 'of somebody else')
    said = models.thawline('history').output
    assert 'holds other files' in said
    assert 'version 1 in' in said and 'not known to the registry' in said
    assert (models.production / '1' / 'saved_model.pb').is_file()
    assert [m.state for m in models.registry().deployments if m.id == move.id] == ['canceled']


def test_a_prune_that_stopped_half_way(models: Models):
    models.promote(models.add('r1'))
    models.promote(models.add('r2'))
    models.promote(models.add('r3'))
    prune = ledger.Prune(PRODUCTION, str(models.production), 'a@b', (1, 2), (), 'abc')
    ledger.begin(models.store, prune)
    (models.production / '1').rename(models.production / '.pruned-1-abc')
    said = models.thawline('history').output
    assert 'recovered: the prune of production was interrupted after 1 of 2 versions' in said
    assert 'prune of 1' in said
    assert sorted(path.name for path in models.production.iterdir()) == ['2', '3']
    check(models.registry(), models)


def test_what_is_busy_is_not_recovered(models: Models):
    intent(models, models.add('r1'), 1)
    project = loading.load_project(models.home)
    with lock.hold(project.registry_lock, 'promote 7'):
        said = models.thawline('models').output
    assert 'note: thawline promote 7 by' in said
    assert 'production: a promotion is in progress or was interrupted' in said
    assert models.registry().unfinished


def test_a_failure_after_the_version_is_in_place_does_not_take_it_away(models, monkeypatch):
    model = models.add('r1')

    def broken(*given: object) -> int:
        raise OSError('the disk is full')

    with monkeypatch.context() as patch:
        patch.setattr(ledger, 'complete', broken)
        done = models.thawline('promote', str(model), '--yes')
    assert isinstance(done.exception, OSError)
    assert (models.production / '1' / 'saved_model.pb').is_file()
    assert 'is complete' in models.thawline('models').output
    assert promotion.next_version(models.registry(), PRODUCTION) == 2
