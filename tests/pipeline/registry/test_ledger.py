"""What the ledger writes, and what it reads of what other versions wrote."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.pipeline.registry.made_models import COMPLETE, Models
from thawline.pipeline.metadata.lineage import PROMOTION, PRUNE
from thawline.pipeline.registry import ledger, lock
from thawline.pipeline.registry.ledger import PROMOTE, ROLLBACK, Deployment, Prune


def contexts(models: Models, execution: int) -> list[str]:
    return [context.name for context in models.store.get_contexts_by_execution(execution)]


def test_what_a_promotion_and_a_rollback_note(models: Models):
    first, second = models.add('r1'), models.add('r2')
    models.promote(first)
    models.promote(second, '--reason', 'better')
    assert models.thawline('rollback', '--yes').exit_code == 0
    registry = models.registry()
    one, two, back = registry.deployments
    replaced = [(move.replaced_model, move.replaced_version) for move in registry.deployments]
    assert replaced == [(0, 0), (first, 1), (second, 2)]
    assert [move.restores for move in registry.deployments] == [0, 0, one.id]
    assert [move.reason for move in registry.deployments] == ['', 'better', '']
    assert [move.action for move in registry.deployments] == [PROMOTE, PROMOTE, ROLLBACK]
    assert two.source == str(models.source('r2')) and two.who == lock.current_user()
    assert two.incoming.startswith('.incoming-2-') and two.state == 'complete'
    for execution, move in zip(registry.lineage.of_type(PROMOTION), (one, two, back), strict=True):
        assert execution.id == move.id and contexts(models, move.id) == ['x']
        assert execution.inputs == {'model': (move.model,)}
        served = registry.lineage.output(execution, 'served_model')
        assert served.uri == f'{models.production}/{move.version}'
        assert served.properties == {
            'digest': move.digest, 'stage': 'production', 'version': move.version,
        }  # fmt: skip


def prune(models: Models, *versions: int) -> Prune:
    """A prune that has been written down, and nothing more."""
    planned = Prune('production', str(models.production), 'a@b', versions, (), 'abc')
    return dataclasses.replace(planned, id=ledger.begin(models.store, planned, 'x'))


def test_what_a_prune_notes(models: Models):
    for run in ('r1', 'r2', 'r3'):
        models.promote(models.add(run))
    served = ledger.live_versions(models.store, str(models.production))
    planned = prune(models, 1, 2, 3)
    assert contexts(models, planned.id) == ['x']
    (running,) = models.registry().unfinished
    assert running == dataclasses.replace(planned, when=running.when)
    ledger.complete_prune(models.store, planned, [2, 1])
    registry = models.registry()
    (recorded,) = registry.prunes
    assert (recorded.versions, recorded.removed) == ((1, 2, 3), (1, 2))
    assert (recorded.who, recorded.hidden, recorded.state) == ('a@b', 'abc', 'complete')
    (execution,) = registry.lineage.of_type(PRUNE)
    assert set(execution.inputs['served_model']) == {artifact.id for artifact in served[:2]}
    left = ledger.live_versions(models.store, str(models.production))
    assert [artifact.id for artifact in left] == [served[2].id]


def test_a_prune_that_removed_nothing_is_canceled(models: Models):
    models.promote(models.add('r1'))
    ledger.complete_prune(models.store, prune(models, 1), [])
    assert [one.state for one in models.registry().prunes] == ['canceled']
    assert len(ledger.live_versions(models.store, str(models.production))) == 1


def record_early(models: Models, name: str, noted: Mapping[str, str | int]) -> None:
    """Records a change as a version did that knew these properties alone, and no contexts."""
    kind = pb.ExecutionType(name=name)
    for key, value in noted.items():
        kind.properties[key] = pb.INT if isinstance(value, int) else pb.STRING
    execution = pb.Execution(
        type_id=models.store.put_execution_type(kind), last_known_state=COMPLETE
    )
    for key, value in noted.items():
        field = 'int_value' if isinstance(value, int) else 'string_value'
        setattr(execution.properties[key], field, value)
    models.store.put_executions([execution])


def test_early_versions_noted_less(models: Models):
    record_early(models, PROMOTION, {'stage': 'production', 'version': 3})
    record_early(models, PRUNE, {'stage': 'production', 'versions': '[1, 2]'})
    registry = models.registry()
    (move,), (pruned,) = registry.deployments, registry.prunes
    assert (move.stage, move.version, move.state) == ('production', 3, 'complete')
    texts = (move.action, move.destination, move.reason, move.forced, move.incoming, move.loaded)
    assert set(texts) == {''}
    assert (move.model, move.size, move.restores, move.replaced_version) == (0, 0, 0, 0)
    assert (pruned.versions, pruned.removed, pruned.hidden) == ((1, 2), (), '')
    models.promote(models.add('r1'))
    ledger.complete_prune(models.store, prune(models, 1), [1])
    registry = models.registry()
    assert registry.deployments[-1].destination == str(models.production)
    assert registry.prunes[-1].removed == (1,)


def test_later_versions_may_note_more(models: Models):
    more = {'approved_by': pb.STRING}
    for name in (PROMOTION, PRUNE):
        models.store.put_execution_type(pb.ExecutionType(name=name, properties=more))
    models.store.put_artifact_type(pb.ArtifactType(name=ledger.SERVED, properties=more))
    models.promote(models.add('r1'))
    ledger.complete_prune(models.store, prune(models, 1), [1])
    registry = models.registry()
    assert registry.deployments[0].state == registry.prunes[0].state == 'complete'


def test_live_versions_are_those_of_a_destination(models: Models):
    assert ledger.live_versions(models.store, str(models.production)) == []
    model = models.add('r1')
    models.promote(model)
    models.promote(models.add('r2'))
    models.promote(model, '--to', 'staging')
    place = str(models.production)
    for name in (place, f'{place}/'):
        assert [one.uri for one in ledger.live_versions(models.store, name)] == [
            f'{place}/1', f'{place}/2',
        ]  # fmt: skip
    assert [one.uri for one in ledger.live_versions(models.store, place, [2, 9])] == [f'{place}/2']
    assert ledger.live_versions(models.store, place, []) == []
    assert ledger.live_versions(models.store, str(models.output)) == []


@pytest.mark.parametrize('place', ['/srv/models', '/srv/models/', 'gs://b/x', 'gs://b/X/'])
def test_the_folder_of_a_version(place: str):
    assert ledger.version_uri(place, 12) == f'{place.removesuffix("/")}/12'


def move(action: str, model: int, **more) -> Deployment:
    values = {'stage': 'production', 'destination': '/p', 'state': 'complete'} | more
    return Deployment(
        action=action, version=1, model=model, digest='', size=0, source='', incoming='', who='',
        reason='', forced='', loaded='', replaced_model=0, replaced_version=0, restores=0, **values,
    )  # fmt: skip


def test_the_stack_of_a_stage():
    found = [
        move(PROMOTE, 1), move(PROMOTE, 2), move(PROMOTE, 9, state='canceled'),
        move(PROMOTE, 8, stage='staging'), move(PROMOTE, 7, destination='/q'), move(PROMOTE, 3),
        move(ROLLBACK, 2), move(PROMOTE, 4), move(ROLLBACK, 2), move(ROLLBACK, 1),
    ]  # fmt: skip
    tops = [
        [m.model for m in ledger.rollback_stack(found[:n], 'production', '/p')]
        for n in range(1, 11)
    ]
    assert tops == [[1], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2, 3], [1, 2], [1, 2, 4], [1, 2], [1]]


def test_current_is_the_newest_that_is_complete():
    moves = [
        move(PROMOTE, 1), move(PROMOTE, 2), move(ROLLBACK, 1), move(PROMOTE, 9, state='canceled'),
        move(PROMOTE, 8, stage='staging'), move(PROMOTE, 7, destination='/q'),
    ]  # fmt: skip
    assert ledger.current(moves, 'production', '/p') is moves[2]
    assert ledger.current(moves[3:], 'production', '/p') is None


def test_words_for_a_change():
    forced = dataclasses.replace(move(PROMOTE, 1), forced='not blessed')
    assert ledger.action(forced) == 'promote, forced: not blessed'
    moves = (move(PROMOTE, 1), move(ROLLBACK, 1))
    assert [ledger.action(one) for one in moves] == ['promote', 'rollback']
    assert [ledger.noun(one) for one in moves] == ['promotion', 'rollback']
    assert ledger.noun(Prune('production', '/p', '', (), (), '')) == 'prune'
